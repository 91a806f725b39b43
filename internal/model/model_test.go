package model_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
)

func TestLayers(t *testing.T) {
	for _, test := range []struct {
		hidden []int
		upper  int
		want   []model.Layer
	}{
		{[]int{100}, 1, []model.Layer{
			{Name: "lower.0", Group: "lower", In: 784, Out: 100, Hidden: true},
			{Name: "upper", Group: "upper", In: 100, Out: 10},
		}},
		{[]int{300, 100}, 1, []model.Layer{
			{Name: "lower.0", Group: "lower", In: 784, Out: 300, Hidden: true},
			{Name: "lower.1", Group: "lower", In: 300, Out: 100, Hidden: true},
			{Name: "upper", Group: "upper", In: 100, Out: 10},
		}},
		{[]int{300, 100}, 2, []model.Layer{
			{Name: "lower.0", Group: "lower", In: 784, Out: 300, Hidden: true},
			{Name: "upper.0", Group: "upper", In: 300, Out: 100, Hidden: true},
			{Name: "upper", Group: "upper", In: 100, Out: 10},
		}},
		{[]int{50, 40, 30}, 3, []model.Layer{
			{Name: "lower.0", Group: "lower", In: 784, Out: 50, Hidden: true},
			{Name: "upper.0", Group: "upper", In: 50, Out: 40, Hidden: true},
			{Name: "upper.1", Group: "upper", In: 40, Out: 30, Hidden: true},
			{Name: "upper", Group: "upper", In: 30, Out: 10},
		}},
	} {
		spec := model.Spec{Inputs: 784, Hidden: test.hidden, Classes: 10, UpperLayers: test.upper}
		if diff := cmp.Diff(test.want, spec.Layers()); diff != "" {
			t.Errorf("hidden %v, %d upper layers (-expected +found):\n%s", test.hidden, test.upper, diff)
		}
	}
	if found := (model.Layer{In: 784, Out: 100}).String(); found != "784→100" {
		t.Errorf("expected 784→100, found %s", found)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		what   string
		change func(*model.Spec)
		parts  []string
	}{
		{"as it is", func(*model.Spec) {}, nil},
		{"Keras's form", func(s *model.Spec) { s.LayerNorm = layernorm.Keras }, nil},
		{"no LayerNorm", func(s *model.Spec) { s.LayerNorm = model.NoLayerNorm }, nil},
		{"all hidden layers but one in the upper group", func(s *model.Spec) { s.UpperLayers = 3 }, nil},
		{"no inputs", func(s *model.Spec) { s.Inputs = 0 }, []string{"one unit or more, found 0"}},
		{"no classes", func(s *model.Spec) { s.Classes = 0 }, []string{"one unit or more, found 0"}},
		{"a hidden layer of no units", func(s *model.Spec) { s.Hidden[1] = 0 }, []string{"one unit or more, found 0"}},
		{"a negative width", func(s *model.Spec) { s.Hidden[1] = -3 }, []string{"one unit or more, found -3"}},
		{"no upper layers", func(s *model.Spec) { s.UpperLayers = 0 }, []string{"from 1 to 3 upper layers, found 0"}},
		{"no lower layers", func(s *model.Spec) { s.UpperLayers = 4 }, []string{"from 1 to 3 upper layers, found 4"}},
		{"no hidden layers", func(s *model.Spec) { s.Hidden = nil }, []string{"one hidden layer or more, found none"}},
		{"a stack", func(s *model.Spec) { *s = stacked("7-ln-relu-4") }, nil},
		{"a stack of one layer", func(s *model.Spec) { *s = stacked("4") }, nil},
		{"a stack of other classes", func(s *model.Spec) { *s = stacked("7-5") }, []string{"the classes, 4"}},
		{"too many upper layers of a stack", func(s *model.Spec) { *s = stacked("7-4"); s.UpperLayers = 3 }, []string{"from 1 to 2 upper layers, found 3"}},
		{"a stack with a norm of no form", func(s *model.Spec) { *s = stacked("7-ln-4"); s.LayerNorm = "none" }, []string{"book or keras for the ln in 7-ln-4"}},
		{"an unknown activation", func(s *model.Spec) { s.Activation = "swish" }, []string{"relu", `found "swish"`}},
		{"an unknown LayerNorm", func(s *model.Spec) { s.LayerNorm = "batch" }, []string{"book, keras or none", `found "batch"`}},
	} {
		t.Run(test.what, func(t *testing.T) {
			spec := small()
			test.change(&spec)
			err := spec.Check()
			if test.parts == nil {
				if err != nil {
					t.Errorf("expected no error, found %v", err)
				}
				return
			}
			wantError(t, err, append(test.parts, "architecture: ", "expected")...)
		})
	}
}
