package export

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/version"
)

// An ONNX file is a message of Protocol Buffers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) with a graph: nodes, each an
// operator with named inputs and outputs, and the weights. The graph here is the network in evaluation. The numbers of the fields below
// are those of onnx.proto.
//
// ONNX puts the channels of a map before its places, fmtrain puts them last. So maps are transposed where the order matters: before
// a dense layer, which takes the values place by place, and around LayerNorm, whose operator normalises the last axes.

const (
	irVersion = 8  // of the file format, which belongs to opset 17
	opset     = 17 // the first with LayerNormalization

	// maxMessage is the largest message that readers of Protocol Buffers take.
	maxMessage = math.MaxInt32
)

// Types of elements and attributes.
const (
	floatElement = 1
	uint8Element = 2
	int64Element = 7

	floatAttribute = 1
	intAttribute   = 2
	intsAttribute  = 7
)

func onnxFiles(s *Source) ([]File, error) {
	if size := 4 * s.Weights.Total(); size > maxMessage-1<<20 {
		return nil, fmt.Errorf("the weights have %d bytes; an ONNX file holds at most 2 GiB", size)
	}
	content, err := encodeONNX(s)
	if err != nil {
		return nil, err
	}
	return []File{{"model.onnx", content}}, nil
}

// encodeONNX is the file of a model.
func encodeONNX(s *Source) ([]byte, error) {
	g := &onnxGraph{source: s}
	if err := g.build(); err != nil {
		return nil, err
	}
	var set message // OperatorSetIdProto of the default domain
	set.int(2, opset)

	var file message // ModelProto
	file.int(1, irVersion)
	file.text(2, "fmtrain")
	file.text(3, version.Read().Version)
	file.bytes(7, g.encoded)
	file.bytes(8, set)
	properties, err := s.properties()
	if err != nil {
		return nil, err
	}
	for _, p := range properties {
		var entry message // StringStringEntryProto
		entry.text(1, p[0])
		entry.text(2, p[1])
		file.bytes(14, entry)
	}
	return file, nil
}

// properties are texts about the model: keys and values.
func (s *Source) properties() ([][2]string, error) {
	architecture, err := json.Marshal(s.Model.Architecture)
	if err != nil {
		return nil, err
	}
	classes, err := json.Marshal(dataset.ClassNames)
	return [][2]string{
		{architectureKey, string(architecture)},
		{"class_names", string(classes)},
		{"scaling", "pixels from 0 to 255, divided by 255"},
		{"weights_sha256", run.Digest(s.Weights)},
	}, err
}

// onnxGraph is a graph in the making.
type onnxGraph struct {
	source  *Source
	encoded message // GraphProto
}

// build adds the whole network.
func (g *onnxGraph) build() error {
	g.encoded.text(2, "fmtrain")
	x := g.input()
	x, err := g.chain(x, g.source.Model.Stack())
	if err != nil {
		return err
	}
	g.node("Identity", []string{x}, "logits")
	g.node("Softmax", []string{"logits"}, "probabilities", integer("axis", 1))
	for _, name := range []string{"logits", "probabilities"} {
		g.encoded.bytes(12, valueInfo(name, floatElement, dataset.Classes))
	}
	return nil
}

// input adds the images in the shape that the first layer takes, with values from 0 to 1.
func (g *onnxGraph) input() string {
	x := "images"
	maps := len(g.source.Model.Stack()[0].In) == 3
	if g.source.Input == Float {
		g.encoded.bytes(11, valueInfo(x, floatElement, dataset.Pixels))
	} else {
		g.encoded.bytes(11, valueInfo(x, uint8Element, dataset.Rows, dataset.Cols))
		x = g.node("Cast", []string{x}, "pixels", integer("to", floatElement))
		x = g.node("Div", []string{x, g.constant("scale", nil, []float32{255})}, "intensities")
	}
	switch {
	case maps:
		return g.node("Reshape", []string{x, g.indices("map_shape", 0, 1, dataset.Rows, dataset.Cols)}, "maps")
	case g.source.Input != Float:
		return g.node("Flatten", []string{x}, "vectors", integer("axis", 1))
	}
	return x
}

// chain adds one layer after the other.
func (g *onnxGraph) chain(x string, layers []model.Placed) (string, error) {
	var err error
	for _, l := range layers {
		if x, err = g.layer(x, l); err != nil {
			return "", err
		}
	}
	return x, nil
}

// layer adds a layer and returns the name of its output.
func (g *onnxGraph) layer(x string, l model.Placed) (string, error) {
	switch kind := l.Layer.(type) {
	case layer.Dense:
		if len(l.In) == 3 {
			x = g.node("Transpose", []string{x}, l.Name+".places", list("perm", 0, 2, 3, 1))
			x = g.node("Flatten", []string{x}, l.Name+".flat", integer("axis", 1))
		}
		return g.node("Gemm", []string{x, g.weight(l, 0), g.weight(l, 1)}, l.Name), nil
	case layer.Conv:
		return g.conv(x, l, kind), nil
	case layer.Pool:
		op := "MaxPool"
		if kind.Average {
			op = "AveragePool"
		}
		side := int64(kind.Size)
		return g.node(op, []string{x}, l.Name, list("kernel_shape", side, side), list("strides", side, side)), nil
	case layer.Global:
		op := "GlobalMaxPool"
		if kind.Average {
			op = "GlobalAveragePool"
		}
		x = g.node(op, []string{x}, l.Name+".map")
		return g.node("Flatten", []string{x}, l.Name, integer("axis", 1)), nil
	case layer.Norm:
		return g.norm(x, l, kind), nil
	case layer.Dropout:
		return x, nil
	case layer.Residual:
		fx, err := g.chain(x, l.Within)
		if err != nil {
			return "", err
		}
		return g.node("Add", []string{x, fx}, l.Name), nil
	case *layer.Activation:
		return g.activation(x, l)
	}
	return "", unknownLayer(l)
}

// unknownLayer is the error for a kind of layer that a format lacks.
func unknownLayer(l model.Placed) error {
	return fmt.Errorf("the layer %s (%v) has no form in this format", l.Name, l.Layer)
}

// conv adds a convolution. Its weight [k, k, in, out] becomes [out, in, k, k].
func (g *onnxGraph) conv(x string, l model.Placed, c layer.Conv) string {
	name := l.Parameters[0].Name
	shape, values := g.source.values(name)
	k, in, out := shape[0], shape[2], shape[3]
	moved := make([]float32, len(values))
	for place := range k * k {
		for i := range in {
			for o := range out {
				moved[(o*in+i)*k*k+place] = values[(place*in+i)*out+o]
			}
		}
	}
	weight := g.constant(name, []int{out, in, k, k}, moved)
	pad := int64(c.Padding())
	side, stride := int64(c.Size), int64(c.Stride)
	return g.node("Conv", []string{x, weight, g.weight(l, 1)}, l.Name,
		list("kernel_shape", side, side), list("strides", stride, stride), list("pads", pad, pad, pad, pad))
}

// norm adds LayerNorm: as one operator in Keras's form, in parts in the book's.
func (g *onnxGraph) norm(x string, l model.Placed, n layer.Norm) string {
	isMap := len(l.In) == 3
	if isMap {
		x = g.node("Transpose", []string{x}, l.Name+".places", list("perm", 0, 2, 3, 1))
	}
	alpha, beta := g.weight(l, 0), g.weight(l, 1)
	part := func(op, name string, inputs []string, attributes ...message) string {
		return g.node(op, inputs, l.Name+"."+name, attributes...)
	}
	last := list("axes", -1)
	if n.Form == layernorm.Keras {
		x = part("LayerNormalization", "normal", []string{x, alpha, beta}, integer("axis", -1), number("epsilon", float32(n.Epsilon)))
	} else {
		mean := part("ReduceMean", "mean", []string{x}, last)
		d := part("Sub", "deviation", []string{x, mean})
		square := part("Mul", "square", []string{d, d})
		variance := part("ReduceMean", "variance", []string{square}, last)
		sigma := part("Sqrt", "sigma", []string{variance})
		epsilon := g.constant(l.Name+".epsilon", nil, []float32{float32(n.Epsilon)})
		scale := part("Add", "scale", []string{sigma, epsilon})
		normal := part("Div", "normal", []string{d, scale})
		gained := part("Mul", "gained", []string{normal, alpha})
		x = part("Add", "shifted", []string{gained, beta})
	}
	if isMap {
		x = g.node("Transpose", []string{x}, l.Name, list("perm", 0, 3, 1, 2))
	}
	return x
}

// activation adds an activation. GELU is x·Φ(x) with Φ(x) = (1 + erf(x/√2))/2; opset 17 has no operator for it.
func (g *onnxGraph) activation(x string, l model.Placed) (string, error) {
	switch l.Word() {
	case "relu":
		return g.node("Relu", []string{x}, l.Name), nil
	case "tanh":
		return g.node("Tanh", []string{x}, l.Name), nil
	case "elu":
		return g.node("Elu", []string{x}, l.Name), nil
	case "selu":
		return g.node("Selu", []string{x}, l.Name), nil
	case "gelu":
		scaled := g.node("Div", []string{x, g.constant(l.Name+".root2", nil, []float32{math.Sqrt2})}, l.Name+".scaled")
		erf := g.node("Erf", []string{scaled}, l.Name+".erf")
		above := g.node("Add", []string{erf, g.constant(l.Name+".one", nil, []float32{1})}, l.Name+".above")
		half := g.node("Mul", []string{x, g.constant(l.Name+".half", nil, []float32{0.5})}, l.Name+".of_half")
		return g.node("Mul", []string{half, above}, l.Name), nil
	}
	return "", unknownLayer(l)
}

// node adds a node with one output, whose name it returns.
func (g *onnxGraph) node(op string, inputs []string, output string, attributes ...message) string {
	var n message // NodeProto
	for _, input := range inputs {
		n.text(1, input)
	}
	n.text(2, output)
	n.text(3, output)
	n.text(4, op)
	for _, a := range attributes {
		n.bytes(5, a)
	}
	g.encoded.bytes(1, n)
	return output
}

// weight adds a parameter of a layer, and returns its name.
func (g *onnxGraph) weight(l model.Placed, i int) string {
	shape, values := g.source.values(l.Parameters[i].Name)
	return g.constant(l.Parameters[i].Name, shape, values)
}

// constant adds a constant of float32 values. A nil shape is a scalar's.
func (g *onnxGraph) constant(name string, shape []int, values []float32) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return g.tensor(name, floatElement, shape, raw)
}

// indices adds a constant vector of int64 values.
func (g *onnxGraph) indices(name string, values ...int64) string {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return g.tensor(name, int64Element, []int{len(values)}, raw)
}

func (g *onnxGraph) tensor(name string, element int64, shape []int, raw []byte) string {
	var t message // TensorProto
	for _, n := range shape {
		t.int(1, int64(n))
	}
	t.int(2, element)
	t.text(8, name)
	t.bytes(9, raw)
	g.encoded.bytes(5, t)
	return name
}

// valueInfo is the name, type and shape of an input or output. The first axis, batch, may have any length.
func valueInfo(name string, element int64, shape ...int) message {
	var batch, dims message
	batch.text(2, "batch")
	dims.bytes(1, batch)
	for _, n := range shape {
		var dim message
		dim.int(1, int64(n))
		dims.bytes(1, dim)
	}
	var tensorType, of, info message
	tensorType.int(1, element)
	tensorType.bytes(2, dims)
	of.bytes(1, tensorType)
	info.text(1, name)
	info.bytes(2, of)
	return info
}

// integer is an attribute of one integer.
func integer(name string, value int64) message {
	var a message // AttributeProto
	a.text(1, name)
	a.int(3, value)
	a.int(20, intAttribute)
	return a
}

// list is an attribute of a list of integers.
func list(name string, values ...int64) message {
	var a message
	a.text(1, name)
	for _, v := range values {
		a.int(8, v)
	}
	a.int(20, intsAttribute)
	return a
}

// number is an attribute of one float32.
func number(name string, value float32) message {
	var a message
	a.text(1, name)
	a.float(2, value)
	a.int(20, floatAttribute)
	return a
}

func onnxUsage(s *Source) string {
	input := "uint8 [batch, 28, 28], pixels from 0 to 255, 0 for the background"
	scale := ""
	if s.Input == Float {
		input = "float32 [batch, 784], pixels divided by 255, 0 for the background"
		scale = ".reshape(-1, 784).astype(numpy.float32) / 255"
	}
	return fmt.Sprintf(`The input is %s. The outputs are %s, float32 [batch, 10]. With ONNX Runtime:

%s

The file has opset %d. The channels of maps come first.
`, "`images`, "+input, "`logits` and `probabilities`", fenced("python", fmt.Sprintf(`import numpy, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
images = numpy.zeros((1, 28, 28), numpy.uint8)  # your images
logits, probabilities = session.run(None, {"images": images%s})`, scale)), opset)
}

// fenced is a block of code in Markdown.
func fenced(language, code string) string { return "```" + language + "\n" + code + "\n```" }
