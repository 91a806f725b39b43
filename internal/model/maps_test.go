package model_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
	"fmtrain/internal/team"
)

// mapped is a network over maps of 7x7.
func mapped(stack string) spec {
	return spec{Inputs: 49, Classes: 4, LayerNorm: layernorm.Book, Epsilon: layernorm.DefaultEpsilon, UpperLayers: 1, Stack: stack}
}

// Convolutions are numbered with the dense layers, and have their shapes.
func TestMapNames(t *testing.T) {
	spec := mapped("ln-conv:3-relu-maxpool-res(conv:2x1-ln-conv:3)-ln-5@deep-4")
	ws := newWeights(spec, 42)
	var found []string
	for _, w := range ws {
		found = append(found, fmt.Sprint(w.Name, w.Value.Shape()))
	}
	want := []string{
		"lower.norm.alpha(1)", "lower.norm.beta(1)",
		"lower.0.weight(3, 3, 1, 3)", "lower.0.bias(3)",
		"lower.1.weight(1, 1, 3, 2)", "lower.1.bias(2)", "lower.1.norm.alpha(2)", "lower.1.norm.beta(2)",
		"lower.2.weight(3, 3, 2, 3)", "lower.2.bias(3)", "lower.2.norm.alpha(3)", "lower.2.norm.beta(3)",
		"deep.0.weight(27, 5)", "deep.0.bias(5)", "deep.weight(5, 4)", "deep.bias(4)",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-expected +found):\n%s", diff)
	}
	var shapes []string
	for _, l := range spec.Model().Layers() {
		shapes = append(shapes, l.Name+" "+l.Out.String())
	}
	if want := "lower.norm 7x7x1, lower.0.conv 7x7x3, lower.0.relu 7x7x3, lower.0.maxpool 3x3x3, lower.1.conv 3x3x2, lower.1.norm 3x3x2, " +
		"lower.2.conv 3x3x3, lower.2.res 3x3x3, lower.2.norm 3x3x3, deep.0.dense 5, deep.dense 4"; strings.Join(shapes, ", ") != want {
		t.Errorf("expected the shapes %s, found %s", want, strings.Join(shapes, ", "))
	}
}

// The gradients of every weight match the differences of the loss, with penalties, dropout and blocks of maps within each other.
func TestMapGradientsByDifferences(t *testing.T) {
	const batch = 5
	for _, stack := range []string{
		"conv:6-tanh-avgpool-res(ln-conv:4x1-gelu-res(conv:4)-conv:6)-dropout:0.2-4",
		"conv:3x4s2-gelu-res(conv:3x5)-avgpool:1-conv:2x2-globalavg-4",
	} {
		spec := mapped(stack)
		ws := newWeights(spec, 42)
		g, err := spec.Model().NewTraining(ws, batch, model.Training{})
		if err != nil {
			t.Fatal(err)
		}
		g.Draw = layer.Draw{Seed: 3, Step: 4}
		fill(g, 1, spec.Classes)
		loss := func() float64 {
			run(t, g)
			return g.Loss.LossSum / batch
		}
		loss()
		for i, got := range gradients(t, g) {
			checkDifferences(t, ws[i], got, loss, 2e-4)
		}
	}
}

// Any number of threads gives the gradients the same bits, with penalties, which read the weights' gradients in other parts, and with a
// frozen group. A step allocates nothing.
func TestMapsOnTeams(t *testing.T) {
	spec := mapped("conv:5-ln-relu-maxpool-res(ln-relu-conv:5)-conv:6x2s2@middle-relu-7-relu-4@end")
	for _, training := range []model.Training{{}, {L2: 0.01, Activity: 0.02}, {L2: 0.01, Frozen: []string{"middle"}}, {Frozen: []string{"lower"}}} {
		var want [][]float32
		for _, members := range []int{1, 2, 3, 7} {
			g, err := spec.Model().NewTraining(newWeights(spec, 42), 6, training)
			if err != nil {
				t.Fatal(err)
			}
			crew := team.New(members)
			g.UseTeam(crew)
			fill(g, 1, spec.Classes)
			run(t, g)
			run(t, g)
			found := gradients(t, g)
			if want == nil {
				want = found
			}
			if !slices.EqualFunc(want, found, sameBits) {
				t.Errorf("%+v: a team of %d has other gradients", training, members)
			}
			if members == 1 {
				if allocations := testing.AllocsPerRun(20, func() { run(t, g) }); allocations != 0 {
					t.Errorf("%+v: expected no allocation in a step, found %v", training, allocations)
				}
			}
			crew.Close()
		}
	}
}

// The L2 penalty adds 2λw to the gradient of a convolution's weight.
func TestPenaltyOfAConvolution(t *testing.T) {
	const l2 = 0.5
	spec := mapped("conv:3-relu-4")
	ws := newWeights(spec, 42)
	var graphs [2][][]float32
	for i, training := range []model.Training{{}, {L2: l2}} {
		g, err := spec.Model().NewTraining(ws, 5, training)
		if err != nil {
			t.Fatal(err)
		}
		fill(g, 1, spec.Classes)
		run(t, g)
		graphs[i] = gradients(t, g)
	}
	for j, v := range weight(t, ws, "lower.0.weight") {
		want, found := float64(graphs[0][0][j])+2*l2*float64(v), float64(graphs[1][0][j])
		if math.Abs(want-found) > 1e-5 {
			t.Errorf("weight %d: expected the gradient %v, found %v", j, want, found)
		}
	}
}

// A network over maps is read back from a checkpoint's text as it was written.
func TestMapsAsJSON(t *testing.T) {
	a, err := mapped("conv:8x5s2v@a-ln-gelu-res(conv:8)-globalmax-4@b").Architecture()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"layers":"49-conv:8x5s2v@a-ln-gelu-res(conv:8)-globalmax-4@b"`) {
		t.Errorf("found %s", text)
	}
	var found model.Architecture
	if err := json.Unmarshal(text, &found); err != nil || found.Text() != a.Text() {
		t.Errorf("expected %s, found %s, %v", a.Text(), found.Text(), err)
	}
}

func TestCNN(t *testing.T) {
	norm := layer.Norm{Form: layernorm.Book, Epsilon: 1e-3}
	for want, h := range map[string]model.Hidden{
		"784-conv:8-ln-relu-maxpool-conv:9-ln-relu-maxpool-7-ln-relu-10":                         {Units: []int{7}, Activation: "relu", Norm: norm},
		"784-conv:8-elu-maxpool-dropout:0.5-conv:9-elu-maxpool-dropout:0.5-7-elu-dropout:0.5-10": {Units: []int{7}, Activation: "elu", Dropout: 0.5},
	} {
		items, err := model.CNN([]int{8, 9}, h, 10)
		if err != nil {
			t.Fatal(err)
		}
		if found := layer.Text(items, 784); found != want {
			t.Errorf("expected %s, found %s", want, found)
		}
	}
	for _, channels := range [][]int{nil, {8, 0}, {layer.MaxUnits + 1}} {
		_, err := model.CNN(channels, model.Hidden{Units: []int{7}, Activation: "relu"}, 10)
		wantError(t, err, "convolutions of 1 to 65536 channels")
	}
	_, err := model.CNN([]int{8}, model.Hidden{Units: []int{7}, Activation: "wild"}, 10)
	wantError(t, err, "expected an activation")
}

// The estimate of the memory counts the maps between the layers and the weights of convolutions.
func TestMemoryOfMaps(t *testing.T) {
	m := mapped("conv:64-relu-conv:64-maxpool-4").Model()
	const batch = 10
	maps := 49 + 3*49*64 + 9*64 + 4
	weights := 9*64 + 64 + 9*64*64 + 64 + 9*64*4 + 4
	if want := int64(4 * (2*batch*maps + 6*weights)); m.Memory(batch) != want {
		t.Errorf("expected %d bytes, found %d", want, m.Memory(batch))
	}
}
