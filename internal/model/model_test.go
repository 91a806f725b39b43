package model_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
)

func TestLayers(t *testing.T) {
	for _, test := range []struct {
		hidden []int
		upper  int
		want   []modeltest.Dense
	}{
		{[]int{100}, 1, []modeltest.Dense{
			{Name: "lower.0", Group: "lower", In: 784, Out: 100, Hidden: true},
			{Name: "upper", Group: "upper", In: 100, Out: 10},
		}},
		{[]int{300, 100}, 1, []modeltest.Dense{
			{Name: "lower.0", Group: "lower", In: 784, Out: 300, Hidden: true},
			{Name: "lower.1", Group: "lower", In: 300, Out: 100, Hidden: true},
			{Name: "upper", Group: "upper", In: 100, Out: 10},
		}},
		{[]int{300, 100}, 2, []modeltest.Dense{
			{Name: "lower.0", Group: "lower", In: 784, Out: 300, Hidden: true},
			{Name: "upper.0", Group: "upper", In: 300, Out: 100, Hidden: true},
			{Name: "upper", Group: "upper", In: 100, Out: 10},
		}},
		{[]int{50, 40, 30}, 3, []modeltest.Dense{
			{Name: "lower.0", Group: "lower", In: 784, Out: 50, Hidden: true},
			{Name: "upper.0", Group: "upper", In: 50, Out: 40, Hidden: true},
			{Name: "upper.1", Group: "upper", In: 40, Out: 30, Hidden: true},
			{Name: "upper", Group: "upper", In: 30, Out: 10},
		}},
	} {
		spec := spec{Inputs: 784, Hidden: test.hidden, Classes: 10, Activation: "relu", LayerNorm: model.NoLayerNorm, UpperLayers: test.upper}
		if diff := cmp.Diff(test.want, spec.Layers()); diff != "" {
			t.Errorf("hidden %v, %d upper layers (-expected +found):\n%s", test.hidden, test.upper, diff)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		what   string
		change func(*spec)
		parts  []string
	}{
		{"as it is", func(*spec) {}, nil},
		{"Keras's form", func(s *spec) { s.LayerNorm = layernorm.Keras }, nil},
		{"no LayerNorm", func(s *spec) { s.LayerNorm = model.NoLayerNorm }, nil},
		{"all hidden layers but one in the upper group", func(s *spec) { s.UpperLayers = 3 }, nil},
		{"no inputs", func(s *spec) { s.Inputs = 0 }, []string{"at least one input and one class, found 0 and 4"}},
		{"no classes", func(s *spec) { s.Classes = 0 }, []string{"at least one input and one class, found 12 and 0"}},
		{"a hidden layer of no units", func(s *spec) { s.Hidden[1] = 0 }, []string{"hidden layers of 1 to 65536 units"}},
		{"a negative width", func(s *spec) { s.Hidden[1] = -3 }, []string{"hidden layers of 1 to 65536 units"}},
		{"no upper layers", func(s *spec) { s.UpperLayers = 0 }, []string{"from 1 to 4 upper layers, found 0"}},
		{"all layers in the upper group", func(s *spec) { s.UpperLayers = 4 }, nil},
		{"more upper layers than layers", func(s *spec) { s.UpperLayers = 5 }, []string{"from 1 to 4 upper layers, found 5"}},
		{"no hidden layers", func(s *spec) { s.Hidden = nil }, []string{"found 0 layers"}},
		{"a stack", func(s *spec) { *s = stacked("7-ln-relu-4") }, nil},
		{"a stack of one layer", func(s *spec) { *s = stacked("4") }, nil},
		{"a stack of other classes", func(s *spec) { *s = stacked("7-5") }, []string{"expected 4, one unit a class"}},
		{"too many upper layers of a stack", func(s *spec) { *s = stacked("7-4"); s.UpperLayers = 3 }, []string{"from 1 to 2 upper layers, found 3"}},
		{"a stack with a norm of no form", func(s *spec) { *s = stacked("7-ln-4"); s.LayerNorm = "none" }, []string{"without ln"}},
		{"an unknown activation", func(s *spec) { s.Activation = "swish" }, []string{"relu", `found "swish"`}},
	} {
		t.Run(test.what, func(t *testing.T) {
			spec := small()
			test.change(&spec)
			_, err := spec.Architecture()
			if err == nil {
				a, _ := spec.Architecture()
				_, err = model.New(a)
			}
			if test.parts == nil {
				if err != nil {
					t.Errorf("expected no error, found %v", err)
				}
				return
			}
			wantError(t, err, append(test.parts, "expected")...)
		})
	}
}
