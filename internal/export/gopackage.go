package export

import (
	"embed"
	"encoding/binary"
	"fmt"
	"go/format"
	"math"
	"strconv"
	"strings"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
)

// A Go package has the network in classifier.go, a call for each layer, and a file for each kind of layer. Those files are in the directory
// _template as they are written. The directory's name keeps them out of fmtrain.
//
//go:embed _template/*.go
var templates embed.FS

// goFiles are the files of the package.
func goFiles(s *Source) ([]File, error) {
	p := &goPackage{source: s, uses: []string{"images", "weights"}}
	if err := p.network(); err != nil {
		return nil, err
	}
	classifier, err := format.Source([]byte(p.classifier()))
	if err != nil {
		return nil, err
	}
	files := []File{
		{"go.mod", []byte("module fashionmnist\n\ngo 1.22\n")},
		{"classifier.go", classifier},
		{"weights.bin", p.weights},
	}
	for _, name := range p.uses {
		content, err := templates.ReadFile("_template/" + name + ".go")
		if err != nil {
			return nil, err
		}
		files = append(files, File{name + ".go", content})
	}
	return files, nil
}

// goPackage is a package in the making.
type goPackage struct {
	source    *Source
	variables map[string]string // of the weights, by their names
	code      strings.Builder   // the lines of the function Logits
	takes     strings.Builder   // the variables of the weights
	weights   []byte
	blocks    int
	uses      []string // files of the directory _template
}

// network writes a line for each layer.
func (p *goPackage) network() error {
	p.name()
	for _, w := range p.source.Weights {
		fmt.Fprintf(&p.takes, "\t%s = take(%d) // %s\n", p.variables[w.Name], w.Value.Shape().TotalSize(), dimensions(w.Value.Shape()))
		for _, v := range w.Value.Float32s() {
			p.weights = binary.LittleEndian.AppendUint32(p.weights, math.Float32bits(v))
		}
	}
	return p.chain("x", p.source.Model.Stack())
}

// chain writes layers that change the variable x.
func (p *goPackage) chain(x string, layers []model.Placed) error {
	for _, l := range layers {
		if err := p.layer(x, l); err != nil {
			return err
		}
	}
	return nil
}

func (p *goPackage) layer(x string, l model.Placed) error {
	call := func(file, function string, arguments ...any) error {
		p.use(file)
		fmt.Fprintf(&p.code, "\t%s = %s(%s", x, function, x)
		for _, a := range arguments {
			fmt.Fprintf(&p.code, ", %v", a)
		}
		p.code.WriteString(")\n")
		return nil
	}
	parameter := func(i int) string { return p.variables[l.Parameters[i].Name] }
	switch kind := l.Layer.(type) {
	case layer.Dense:
		return call("dense", "dense", parameter(0), parameter(1))
	case layer.Conv:
		w := fmt.Sprintf("window{height: %d, width: %d, in: %d, size: %d, stride: %d, pad: %d}", l.In[0], l.In[1], l.In[2], kind.Size, kind.Stride, kind.Padding())
		return call("conv", "conv", w, parameter(0), parameter(1))
	case layer.Pool:
		return call("pool", "pool", l.In[0], l.In[1], l.In[2], kind.Size, kind.Size, kind.Average)
	case layer.Global:
		return call("pool", "pool", l.In[0], l.In[1], l.In[2], l.In[0], l.In[1], kind.Average)
	case layer.Norm:
		inside, outside := 0.0, kind.Epsilon
		if kind.Form == layernorm.Keras {
			inside, outside = kind.Epsilon, 0
		}
		return call("layernorm", "layerNorm", parameter(0), parameter(1), inside, outside)
	case layer.Dropout:
		return nil
	case layer.Residual:
		p.use("residual")
		p.blocks++
		fx := "f" + strconv.Itoa(p.blocks)
		fmt.Fprintf(&p.code, "\t%s := %s\n", fx, x)
		if err := p.chain(fx, l.Within); err != nil {
			return err
		}
		fmt.Fprintf(&p.code, "\t%s = add(%s, %s)\n", x, x, fx)
		return nil
	case *layer.Activation:
		if _, err := templates.ReadFile("_template/" + kind.Word() + ".go"); err == nil {
			return call(kind.Word(), kind.Word())
		}
	}
	return unknownLayer(l)
}

// use adds a file of the directory _template.
func (p *goPackage) use(file string) {
	for _, name := range p.uses {
		if name == file {
			return
		}
	}
	p.uses = append(p.uses, file)
}

// classifier is the text of classifier.go.
func (p *goPackage) classifier() string {
	var names strings.Builder
	for _, name := range dataset.ClassNames {
		fmt.Fprintf(&names, "%q, ", name)
	}
	return fmt.Sprintf(`// Package fashionmnist classifies images of clothes, as in Fashion-MNIST. fmtrain has written it, with the trained weights of
//
//	%s
//
// An image has 28x28 pixels, row by row, from 0 for the background to 255.
package fashionmnist

// Classes are the names of the classes.
var Classes = [10]string{%s}

// The trained weights, with their shapes.
var (
%s)

// Predict is the probability of each class for an image. It panics unless the image has 784 bytes.
func Predict(image []byte) [10]float32 { return softmax(Logits(image)) }

// Logits is the output of the last layer for an image. It panics unless the image has 784 bytes.
func Logits(image []byte) [10]float32 {
	x := scale(image)
%s	return [10]float32(x)
}
`, p.source.Model.Text(), strings.TrimSuffix(names.String(), ", "), p.takes.String(), p.code.String())
}

// name makes the variables of the weights: lower0NormAlpha for lower.0.norm.alpha. The first of equal names has no number.
func (p *goPackage) name() {
	p.variables = map[string]string{}
	used := map[string]int{}
	for _, w := range p.source.Weights {
		var b strings.Builder
		for i, part := range strings.FieldsFunc(w.Name, func(r rune) bool { return r == '.' || r == '_' }) {
			switch first := part[0]; {
			case i > 0:
				b.WriteString(strings.ToUpper(part[:1]))
			case first >= '0' && first <= '9':
				b.WriteString("group" + part[:1])
			default:
				b.WriteString(strings.ToLower(part[:1]))
			}
			b.WriteString(part[1:])
		}
		name := b.String()
		if used[name]++; used[name] > 1 {
			name += "_" + strconv.Itoa(used[name])
		}
		p.variables[w.Name] = name
	}
}

// dimensions is a shape as a comment has it.
func dimensions(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ", ") }

func goUsage(*Source) string {
	return "The package needs nothing but Go. Copy it into your module, or name its place in go.mod.\n\n" + fenced("go", `probabilities := fashionmnist.Predict(image) // 784 bytes, row by row, 0 for the background
for class, p := range probabilities {
	fmt.Printf("%-12s %.4f\n", fashionmnist.Classes[class], p)
}`) + "\n"
}
