package export

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loop"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
)

// A network to export. Together they have every kind of layer, in front of and behind maps.
type network struct {
	layers string
	form   layernorm.Form
}

var networks = []network{
	{"12-ln-relu-10", layernorm.Book},
	{"12-ln-gelu-8-elu-10", layernorm.Keras},
	{"12-tanh-res(ln-selu-12-res:0.1(ln-relu-dropout-12))-10", layernorm.Book},
	{"conv:6x5s2-ln-relu-maxpool-res(conv:6-gelu)-avgpool:3-20-ln-relu-10", layernorm.Book},
	{"maxpool:2-conv:8x4-ln-elu-conv:8x3v-res(ln-relu-conv:8x1)-tanh-globalmax-16-selu-10", layernorm.Keras},
	{"conv:8-avgpool-conv:12x2-gelu-globalavg-ln-10", layernorm.Book},
}

// The networks have every kind of layer, so the tests below try each in each format.
func TestEveryKind(t *testing.T) {
	var all strings.Builder
	for _, n := range networks {
		all.WriteString("-" + n.layers)
	}
	for _, k := range layer.Kinds() {
		if !strings.Contains(all.String(), "-"+k.Word) && !strings.Contains(all.String(), "("+k.Word) {
			t.Errorf("no network has the layer %s", k.Usage)
		}
	}
}

// source is a network with weights none of which is 0 or 1.
func (n network) source(t testing.TB) *Source {
	t.Helper()
	if n.form == "" {
		n.form = model.NoLayerNorm
	}
	spec := modeltest.Spec{
		Inputs: dataset.Pixels, Classes: dataset.Classes, Stack: n.layers, LayerNorm: n.form, Epsilon: 0.003, UpperLayers: 1,
	}
	s := &Source{Model: spec.Model(), Weights: spec.Weights(5), Input: Uint8, Card: Card{Name: "a network", License: "mit"}}
	random := rand.New(rand.NewPCG(1, 2))
	for _, w := range s.Weights {
		for i, v := range w.Value.Float32s() {
			if w.Role != layer.Weight {
				w.Value.Float32s()[i] = v + float32(0.2*random.NormFloat64())
			}
		}
	}
	return s
}

// sample is the embedded test images.
var sample = sync.OnceValue(func() *dataset.Set {
	data, err := dataset.Load(context.Background(), dataset.Options{Dir: dataset.SampleName, TestOnly: true})
	if err != nil {
		panic(err)
	}
	return data.Test
})

// logits are those of fmtrain for the first images of the sample, ten for each.
func logitsOf(t testing.TB, m *model.Model, weights model.Weights, images int) (logits []float32) {
	t.Helper()
	e, err := loop.NewEvaluator(m, weights, sample().Slice(0, images))
	if err != nil {
		t.Fatal(err)
	}
	e.Each = func(_, _, _ int32, row []float32) { logits = append(logits, row...) }
	if _, err := e.Evaluate(); err != nil {
		t.Fatal(err)
	}
	return logits
}

// sameLogits fails unless the logits of each image differ by less than the tolerance times the largest.
func sameLogits(t testing.TB, expected []float32, found func(i int) float64, tolerance float64) {
	t.Helper()
	for first := 0; first < len(expected); first += dataset.Classes {
		largest := 0.0
		for _, z := range expected[first : first+dataset.Classes] {
			largest = max(largest, math.Abs(float64(z)))
		}
		for i := first; i < first+dataset.Classes; i++ {
			if d := math.Abs(found(i) - float64(expected[i])); !(d <= tolerance*largest) {
				t.Fatalf("image %d, class %d: expected %g, found %g", first/dataset.Classes, i-first, expected[i], found(i))
			}
		}
	}
}

// file is the file of that name.
func file(t testing.TB, files []File, name string) []byte {
	t.Helper()
	for _, f := range files {
		if f.Name == name {
			return f.Content
		}
	}
	t.Fatalf("no file %s", name)
	return nil
}

// files are those of an export.
func files(t testing.TB, format string, s *Source) []File {
	t.Helper()
	f, err := Find(format)
	if err != nil {
		t.Fatal(err)
	}
	made, err := f.Files(s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
