package predict

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
	"fmtrain/internal/picture"
	"fmtrain/internal/picturetest"
)

// sample is the embedded sample, and the reference of its training images.
var sample = sync.OnceValues(func() (*dataset.Data, *Reference) {
	data, err := dataset.Load(context.Background(), dataset.Options{Dir: dataset.SampleName})
	if err != nil {
		panic(err)
	}
	return data, NewReference(data.Train)
})

func image(set *dataset.Set, row int) []uint8 {
	return set.Images[row*dataset.Pixels : (row+1)*dataset.Pixels]
}

// The probabilities are the softmax of the logits that an evaluation of a whole batch computes, for any kind of layers.
func TestProbabilities(t *testing.T) {
	data, _ := sample()
	for _, stack := range []string{"30-ln-relu-10", "20-res(ln-relu-dropout:0.5-20)-gelu-10", "conv:4-relu-maxpool:2-10", "10"} {
		spec := modeltest.Spec{
			Inputs: dataset.Pixels, Classes: dataset.Classes, Stack: stack, LayerNorm: layernorm.Book, Epsilon: 0.001, UpperLayers: 1,
		}
		m, weights := spec.Model(), spec.Weights(7)
		c, err := New(m, weights)
		if err != nil {
			t.Fatal(err)
		}
		const n = 5
		graph, err := m.NewInference(weights, n)
		if err != nil {
			t.Fatal(err)
		}
		data.Test.Fill(graph.Images, graph.Labels, []int32{0, 1, 2, 3, 4})
		if err := graph.Run(); err != nil {
			t.Fatal(err)
		}
		for row := range n {
			got, err := c.Probabilities(image(data.Test, row))
			if err != nil {
				t.Fatal(err)
			}
			logits := graph.Loss.Logits[row*dataset.Classes : (row+1)*dataset.Classes]
			var sum float64
			for _, z := range logits {
				sum += math.Exp(float64(z))
			}
			for k, z := range logits {
				if want := math.Exp(float64(z)) / sum; math.Abs(float64(got[k])-want) > 1e-6 {
					t.Errorf("%s, row %d, class %d: expected %g, found %g", stack, row, k, want, got[k])
				}
			}
		}
	}
}

func TestDivergedWeights(t *testing.T) {
	spec := modeltest.Spec{Inputs: dataset.Pixels, Classes: dataset.Classes, Stack: "10", LayerNorm: model.NoLayerNorm, UpperLayers: 1}
	weights := spec.Weights(7)
	weights[len(weights)-1].Value.Float32s()[3] = float32(math.NaN())
	c, err := New(spec.Model(), weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Probabilities(make([]uint8, dataset.Pixels)); err == nil || !strings.Contains(err.Error(), "expected finite logits") {
		t.Errorf("expected an error about the logits, found %v", err)
	}
}

// At least 98 % of the test images are like the training images.
func TestTestImagesAreUsual(t *testing.T) {
	data, r := sample()
	unusual := 0
	for row := range data.Test.Len() {
		if r.Distance(image(data.Test, row)) > 1 {
			unusual++
		}
	}
	t.Logf("%d of %d", unusual, data.Test.Len())
	if unusual > data.Test.Len()/50 {
		t.Errorf("%d of %d test images are unlike the training images", unusual, data.Test.Len())
	}
}

// Noise, gradients, clouds, negatives and patterns are unlike the training images.
func TestUnusual(t *testing.T) {
	data, r := sample()
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(f func(x, y int) float64) []uint8 {
		pixels := make([]uint8, dataset.Pixels)
		for i := range pixels {
			pixels[i] = uint8(min(max(f(i%dataset.Cols, i/dataset.Cols), 0), 255))
		}
		return pixels
	}
	read := func(file []byte) []uint8 {
		p, err := picture.Read(bytes.NewReader(file), picture.Auto)
		if err != nil {
			t.Fatal(err)
		}
		return p.Pixels
	}
	all := map[string][]uint8{
		"uniform noise": fill(func(int, int) float64 { return 256 * random.Float64() }),
		"normal noise":  fill(func(int, int) float64 { return 128 + 40*random.NormFloat64() }),
		"horizontal":    fill(func(x, _ int) float64 { return 255 * float64(x) / 27 }),
		"diagonal":      fill(func(x, y int) float64 { return 255 * float64(x+y) / 54 }),
		"waves":         fill(func(x, y int) float64 { return 128 + 127*math.Sin(float64(x)/3)*math.Cos(float64(y)/4) }),
		"chessboard":    fill(func(x, y int) float64 { return 255 * float64((x/4+y/4)%2) }),
		"white":         fill(func(int, int) float64 { return 255 }),
		"negative":      picturetest.Negative(image(data.Test, 0)).Pix,
		"gradient PNG":  read(picturetest.PNG(picturetest.Gradient(28, 28))),
	}
	for name, pixels := range all {
		if d := r.Distance(pixels); d <= 1 {
			t.Errorf("%s: expected a distance above 1, found %.2f", name, d)
		}
	}
}

// The factor is that of the covariance: its product with its transpose is the covariance, computed in the plainest way.
func TestCholesky(t *testing.T) {
	data, _ := sample()
	var rows [][]float64
	for row := range 300 {
		rows = append(rows, pool(image(data.Train, row)))
	}
	mean := meanOf(rows)
	l := cholesky(covariance(rows, mean))
	for i := range features {
		for j := range i + 1 {
			var want float64
			for _, x := range rows {
				want += (x[i] - mean[i]) * (x[j] - mean[j]) / float64(len(rows))
			}
			if i == j {
				want += ridge
			}
			if got := dot(l[i*features:i*features+j+1], l[j*features:]); math.Abs(got-want) > 1e-6 {
				t.Fatalf("entry %d,%d: expected %g, found %g", i, j, want, got)
			}
		}
	}
}

// With few images there is no reference, and a set of equal images gives no NaN.
func TestSmallSets(t *testing.T) {
	data, _ := sample()
	if NewReference(data.Train.Slice(0, LeastSeen-1)) != nil {
		t.Error("expected no reference")
	}
	equal := &dataset.Set{Images: slices.Repeat(image(data.Train, 0), LeastSeen), Labels: make([]uint8, LeastSeen)}
	r := NewReference(equal)
	if d := r.Distance(image(data.Train, 0)); math.IsNaN(d) || d > 1 {
		t.Errorf("the image of all rows: found a distance of %g", d)
	}
	if d := r.Distance(image(data.Train, 1)); !(d > 1) {
		t.Errorf("another image: found a distance of %g", d)
	}
}
