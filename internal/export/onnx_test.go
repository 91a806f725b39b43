package export

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"fmtrain/internal/dataset"
)

// TestONNX reads the files with another reader of Protocol Buffers, runs their graphs by the definitions of ONNX's operators, in float64
// and in the plainest way, and compares the logits. scripts/check-onnx does so with a real runtime.
func TestONNX(t *testing.T) {
	const images = 7
	for _, n := range networks {
		for _, input := range Inputs {
			s := n.source(t)
			s.Input = input
			g := readONNX(t, file(t, files(t, "onnx", s), "model.onnx"))
			x := array64{[]int{images, dataset.Rows, dataset.Cols}, nil}
			if input == Float {
				x.shape = []int{images, dataset.Pixels}
			}
			for _, p := range sample().Images[:images*dataset.Pixels] {
				v := float64(p)
				if input == Float {
					v = float64(float32(p) / 255)
				}
				x.values = append(x.values, v)
			}
			if want := append([]int{-1}, x.shape[1:]...); !slices.Equal(g.input, want) {
				t.Fatalf("%s: expected an input of shape %v, found %v", n.layers, want, g.input)
			}
			g.values["images"] = x
			for _, node := range g.nodes {
				g.run(t, node)
			}
			logits := g.values["logits"]
			if want := []int{images, dataset.Classes}; !slices.Equal(logits.shape, want) {
				t.Fatalf("%s: expected logits of shape %v, found %v", n.layers, want, logits.shape)
			}
			sameLogits(t, logitsOf(t, s.Model, s.Weights, images), func(i int) float64 { return logits.values[i] }, 1e-5)
			for row := range images {
				sum := 0.0
				for k := range dataset.Classes {
					sum += g.values["probabilities"].values[row*dataset.Classes+k]
				}
				if math.Abs(sum-1) > 1e-12 {
					t.Fatalf("%s: probabilities that sum up to %g", n.layers, sum)
				}
			}
		}
	}
}

type array64 struct {
	shape  []int
	values []float64
}

type onnxNode struct {
	op              string
	inputs, outputs []string
	ints            map[string][]int64
	floats          map[string]float64
}

type onnxRead struct {
	input  []int // −1 for any length
	nodes  []onnxNode
	values map[string]array64
}

// field is a field of a message.
type field struct {
	number protowire.Number
	bits   uint64
	bytes  []byte
}

func fields(t *testing.T, message []byte) (all []field) {
	t.Helper()
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.bits, n = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(message)
			f.bits = uint64(bits)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(message)
		default:
			t.Fatalf("wire type %d", kind)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		message, all = message[n:], append(all, f)
	}
	return all
}

func readONNX(t *testing.T, file []byte) *onnxRead {
	t.Helper()
	g := &onnxRead{values: map[string]array64{}}
	version, opsets, properties := uint64(0), uint64(0), 0
	for _, f := range fields(t, file) {
		switch f.number {
		case 1:
			version = f.bits
		case 7:
			for _, part := range fields(t, f.bytes) {
				switch part.number {
				case 1:
					g.nodes = append(g.nodes, readNode(t, part.bytes))
				case 5:
					g.readTensor(t, part.bytes)
				case 11:
					g.readInput(t, part.bytes)
				}
			}
		case 8:
			opsets = fields(t, f.bytes)[0].bits
		case 14:
			properties++
		}
	}
	if version != 8 || opsets != 17 || properties != 4 {
		t.Fatalf("expected version 8, opset 17 and 4 properties, found %d, %d and %d", version, opsets, properties)
	}
	return g
}

func readNode(t *testing.T, message []byte) onnxNode {
	n := onnxNode{ints: map[string][]int64{}, floats: map[string]float64{}}
	for _, f := range fields(t, message) {
		switch f.number {
		case 1:
			n.inputs = append(n.inputs, string(f.bytes))
		case 2:
			n.outputs = append(n.outputs, string(f.bytes))
		case 4:
			n.op = string(f.bytes)
		case 5:
			name := ""
			for _, a := range fields(t, f.bytes) {
				switch a.number {
				case 1:
					name = string(a.bytes)
				case 2:
					n.floats[name] = float64(math.Float32frombits(uint32(a.bits)))
				case 3, 8:
					n.ints[name] = append(n.ints[name], int64(a.bits))
				}
			}
		}
	}
	return n
}

func (g *onnxRead) readTensor(t *testing.T, message []byte) {
	var a array64
	var raw []byte
	name, element := "", uint64(0)
	for _, f := range fields(t, message) {
		switch f.number {
		case 1:
			a.shape = append(a.shape, int(f.bits))
		case 2:
			element = f.bits
		case 8:
			name = string(f.bytes)
		case 9:
			raw = f.bytes
		}
	}
	for len(raw) > 0 {
		if element == floatElement {
			a.values = append(a.values, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
			raw = raw[4:]
		} else {
			a.values = append(a.values, float64(binary.LittleEndian.Uint64(raw)))
			raw = raw[8:]
		}
	}
	if _, twice := g.values[name]; twice || len(a.values) != product(a.shape) {
		t.Fatalf("tensor %s: shape %v, %d values", name, a.shape, len(a.values))
	}
	g.values[name] = a
}

func (g *onnxRead) readInput(t *testing.T, message []byte) {
	tensorType := fields(t, fields(t, message)[1].bytes)[0].bytes
	for _, dim := range fields(t, fields(t, tensorType)[1].bytes) {
		length := fields(t, dim.bytes)[0]
		if length.number == 2 {
			length.bits = math.MaxUint64
		}
		g.input = append(g.input, int(int64(length.bits)))
	}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// run computes a node by the definition of its operator.
func (g *onnxRead) run(t *testing.T, n onnxNode) {
	t.Helper()
	in := make([]array64, len(n.inputs))
	for i, name := range n.inputs {
		var ok bool
		if in[i], ok = g.values[name]; !ok {
			t.Fatalf("%s reads %s, which is not computed before it", n.op, name)
		}
	}
	x := in[0]
	var y array64
	each := func(f func(v float64) float64) {
		y = array64{x.shape, make([]float64, len(x.values))}
		for i, v := range x.values {
			y.values[i] = f(v)
		}
	}
	switch n.op {
	case "Cast", "Identity":
		y = x
	case "Relu":
		each(func(v float64) float64 { return max(0, v) })
	case "Erf":
		each(math.Erf)
	case "Tanh":
		each(math.Tanh)
	case "Sqrt":
		each(math.Sqrt)
	case "Elu":
		each(func(v float64) float64 { return max(0, v) + min(0, math.Exp(v)-1) })
	case "Selu":
		each(func(v float64) float64 {
			const alpha, gamma = 1.67326319217681884765625, 1.05070102214813232421875
			return gamma * (max(0, v) + min(0, alpha*(math.Exp(v)-1)))
		})
	case "Add", "Sub", "Mul", "Div":
		y = broadcast(t, n.op, x, in[1])
	case "Flatten":
		y = array64{[]int{x.shape[0], product(x.shape[1:])}, x.values}
	case "Reshape":
		y.values = x.values
		for i, d := range in[1].values {
			if d == 0 {
				d = float64(x.shape[i])
			}
			y.shape = append(y.shape, int(d))
		}
	case "Transpose":
		y = transpose(x, n.ints["perm"])
	case "ReduceMean":
		y = rows(x, 1, func(row []float64) []float64 { return []float64{meanOf(row)} })
	case "LayerNormalization":
		y = rows(x, len(in[1].values), func(row []float64) []float64 {
			mean, variance := meanOf(row), 0.0
			for _, v := range row {
				variance += (v - mean) * (v - mean) / float64(len(row))
			}
			out := make([]float64, len(row))
			for i, v := range row {
				out[i] = (v-mean)/math.Sqrt(variance+n.floats["epsilon"])*in[1].values[i] + in[2].values[i]
			}
			return out
		})
	case "Softmax":
		y = rows(x, x.shape[1], func(row []float64) []float64 {
			sum, out := 0.0, make([]float64, len(row))
			for _, v := range row {
				sum += math.Exp(v)
			}
			for i, v := range row {
				out[i] = math.Exp(v) / sum
			}
			return out
		})
	case "Gemm":
		w, b := in[1], in[2]
		out := w.shape[1]
		y = array64{[]int{x.shape[0], out}, make([]float64, x.shape[0]*out)}
		for i := range y.values {
			y.values[i] = b.values[i%out]
			for k := range w.shape[0] {
				y.values[i] += x.values[i/out*w.shape[0]+k] * w.values[k*out+i%out]
			}
		}
	case "Conv":
		y = windows(x, in[1].shape[0], n, func(image, o, top, left int) float64 {
			w, sum := in[1], in[2].values[o]
			k := w.shape[2]
			for c := range x.shape[1] {
				for p := range k {
					for q := range k {
						if i, j := top+p, left+q; i >= 0 && i < x.shape[2] && j >= 0 && j < x.shape[3] {
							sum += x.values[((image*x.shape[1]+c)*x.shape[2]+i)*x.shape[3]+j] * w.values[((o*x.shape[1]+c)*k+p)*k+q]
						}
					}
				}
			}
			return sum
		})
	case "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool":
		if strings.HasPrefix(n.op, "Global") {
			n.ints["kernel_shape"] = []int64{int64(x.shape[2]), int64(x.shape[3])}
			n.ints["strides"] = []int64{1, 1}
		}
		k := n.ints["kernel_shape"]
		y = windows(x, x.shape[1], n, func(image, c, top, left int) float64 {
			largest, sum := math.Inf(-1), 0.0
			for p := range int(k[0]) {
				for q := range int(k[1]) {
					v := x.values[((image*x.shape[1]+c)*x.shape[2]+top+p)*x.shape[3]+left+q]
					largest, sum = max(largest, v), sum+v
				}
			}
			if n.op == "MaxPool" || n.op == "GlobalMaxPool" {
				return largest
			}
			return sum / float64(k[0]*k[1])
		})
	default:
		t.Fatalf("unknown operator %s", n.op)
	}
	g.values[n.outputs[0]] = y
}

// windows computes a value of each window of a map [batch, channels, height, width], for each output channel.
func windows(x array64, channels int, n onnxNode, f func(image, channel, top, left int) float64) array64 {
	k, s, pads := n.ints["kernel_shape"], n.ints["strides"], n.ints["pads"]
	if pads == nil {
		pads = make([]int64, 4)
	}
	height := (x.shape[2]+int(pads[0]+pads[2]-k[0]))/int(s[0]) + 1
	width := (x.shape[3]+int(pads[1]+pads[3]-k[1]))/int(s[1]) + 1
	y := array64{shape: []int{x.shape[0], channels, height, width}}
	for image := range x.shape[0] {
		for c := range channels {
			for i := range height {
				for j := range width {
					y.values = append(y.values, f(image, c, i*int(s[0])-int(pads[0]), j*int(s[1])-int(pads[1])))
				}
			}
		}
	}
	return y
}

// rows computes out values of each row along the last axis.
func rows(x array64, out int, f func(row []float64) []float64) array64 {
	n := x.shape[len(x.shape)-1]
	y := array64{shape: append(slices.Clone(x.shape[:len(x.shape)-1]), out)}
	for row := range slices.Chunk(x.values, n) {
		y.values = append(y.values, f(row)...)
	}
	return y
}

func meanOf(row []float64) float64 {
	sum := 0.0
	for _, v := range row {
		sum += v
	}
	return sum / float64(len(row))
}

func transpose(x array64, perm []int64) array64 {
	y := array64{values: make([]float64, len(x.values))}
	strides := make([]int, len(x.shape))
	step := 1
	for i := len(x.shape) - 1; i >= 0; i-- {
		strides[i], step = step, step*x.shape[i]
	}
	for _, p := range perm {
		y.shape = append(y.shape, x.shape[p])
	}
	for i := range y.values {
		at, rest := 0, i
		for axis := len(perm) - 1; axis >= 0; axis-- {
			at += rest % y.shape[axis] * strides[perm[axis]]
			rest /= y.shape[axis]
		}
		y.values[i] = x.values[at]
	}
	return y
}

// broadcast computes with equal shapes, with a scalar or a vector of the last axis, or with one value for each row.
func broadcast(t *testing.T, op string, a, b array64) array64 {
	t.Helper()
	last := a.shape[len(a.shape)-1]
	index := func(i int) int { return i }
	switch {
	case slices.Equal(a.shape, b.shape):
	case len(b.values) == 1:
		index = func(int) int { return 0 }
	case len(b.shape) == 1 && b.shape[0] == last:
		index = func(i int) int { return i % last }
	case len(b.values)*last == len(a.values) && b.shape[len(b.shape)-1] == 1:
		index = func(i int) int { return i / last }
	default:
		t.Fatalf("%s of shapes %v and %v", op, a.shape, b.shape)
	}
	y := array64{a.shape, make([]float64, len(a.values))}
	for i, v := range a.values {
		w := b.values[index(i)]
		y.values[i] = map[string]float64{"Add": v + w, "Sub": v - w, "Mul": v * w, "Div": v / w}[op]
	}
	return y
}
