package layer_test

import (
	"strings"
	"testing"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
)

// parse reads a network of 784 inputs and 10 classes, and writes it.
func parse(text string) (string, error) {
	items, err := layer.Parse(text, layer.Options{Inputs: 784, Classes: 10, Norm: layer.Norm{Form: layernorm.Book, Epsilon: 1e-3}})
	return layer.Text(items, 784), err
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"784-300-LN-relu-dropout-100-LN-relu-10": "784-300-ln-relu-dropout:0.2-100-ln-relu-10",
		"10":                                     "784-10",
		"784-784-10":                             "784-784-10",
		"784@stem-10@Head":                       "784-784@stem-10@Head",
		"conv:32-ln-relu-MaxPool-conv:64x3s1-maxpool:2-GlobalAvg-10": "784-conv:32-ln-relu-maxpool-conv:64-maxpool-globalavg-10",
		"784,conv:8X5s2V@stem,res(conv:8x1),avgpool:3,conv:4s2,10":   "784-conv:8x5s2v@stem-res(conv:8x1)-avgpool:3-conv:4s2-10",
		"784-ln-avgpool:1-784-10":                                    "784-ln-avgpool:1-784-10",
		"globalmax-10":                                               "784-globalmax-10",
		" dropout:.5, 7 ,res( LN , selu - 7,res(7)) ,10":             "784-dropout:0.5-7-res(ln-selu-7-res(7))-10",
	} {
		found, err := parse(text)
		if err != nil || found != want {
			t.Errorf("%q: expected %s, found %s, %v", text, want, found, err)
		}
		if again, err := parse(found); err != nil || again != found {
			t.Errorf("%s: expected the same again, found %s, %v", found, again, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"784-300-LN-relu-dropout-10", "300@a-res(ln-300)-10", "dropout:0.99-10", "res(", "conv:8x5s2v@a-res(conv:8)-maxpool:3-globalmax-10", "é-10", "1-res()-10"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stack, err := parse(text)
		if err != nil {
			return
		}
		if again, err := parse(stack); err != nil || again != stack {
			t.Errorf("%q: expected %s to be read as it is, found %s, %v", text, stack, again, err)
		}
	})
}

// An error names the place in the text and what is allowed there.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string][]string{
		"":                           {"at character 1", "found the end"},
		"300-lrelu-10":               {"at character 5", `found "lrelu"`, strings.Join(layer.Usages(), ", ")},
		"300-0-10":                   {"at character 5", "from 1 to 65536 units, found 0"},
		"300-99999999999-10":         {"at character 5", "from 1 to 65536 units"},
		"300-dropout:1-10":           {"at character 13", "from 0 to below 1"},
		"300-res-10":                 {"at character 8", "in parentheses"},
		"300-res(ln-200)-10":         {"at character 5", "shape 300", "shape 200"},
		"300-res(ln-300-10":          {"at character 18", "the ) of the block, found the end"},
		"300-ln-relu":                {"at character 8", `the last layer is "relu"; expected 10`},
		"300 10":                     {"at character 5", "expected a dash"},
		"300@-10":                    {"at character 5", "the name of a group"},
		"conv-10":                    {"at character 5", "the number of channels, as in conv:32", `found "-"`},
		"conv:-10":                   {"at character 6", "expected channels, and perhaps a size", `found "-"`},
		"conv:8xs2-10":               {"at character 6", `found "8xs2"`},
		"conv:0-10":                  {"at character 6", "from 1 to 65536 channels, found 0"},
		"conv:65537-10":              {"at character 6", "from 1 to 65536 channels, found 65537"},
		"conv:8x65-10":               {"at character 6", "from 1 to 64 for the size, found 65"},
		"conv:8s0-10":                {"at character 6", "from 1 to 64 for the stride, found 0"},
		"conv:8x29v-10":              {"at character 1", "at least 29x29 places, found 28x28x1"},
		"300-conv:8-10":              {"at character 5", "conv:8: expected a map", "a vector of length 300"},
		"maxpool:0-10":               {"at character 9", "side from 1 to 64, as in maxpool:2", `found "0"`},
		"avgpool:x-10":               {"at character 9", "as in avgpool:2", `found "x"`},
		"conv:8s4-avgpool:8-10":      {"at character 10", "avgpool:8: expected a map of at least 8x8 places, found 7x7x8"},
		"globalmax-globalavg-10":     {"at character 11", "globalavg: expected a map", "a vector of length 1"},
		"conv:8-res(conv:9-relu)-10": {"at character 8", "shape 28x28x8", "shape 28x28x9"},
		"conv:8-res(maxpool:40)-10":  {"at character 12", "at least 40x40"},
		"conv:8-maxpool@a-10":        {"at character 15", "expected a dash"},
		"conv:8-conv:10":             {"at character 8", `the last layer is "conv:10"; expected 10`},
		"7-res(res(8)-7)-10":         {"at character 7", "shape 7", "shape 8"},
	} {
		_, err := parse(text)
		if err == nil {
			t.Errorf("%q: expected an error, found none", text)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: expected an error with %q, found %q", text, part, err)
			}
		}
	}
	_, err := layer.Parse("conv:2-10", layer.Options{Inputs: 12, Classes: 10})
	wantError(t, err, "expected square images for layers over maps, found 12 values")
	_, err = layer.Parse("7-ln-10", layer.Options{Inputs: 784, Classes: 10})
	if err == nil || !strings.Contains(err.Error(), "without ln") {
		t.Errorf("expected an error for ln in a network without LayerNorm, found %v", err)
	}
}

// The images are maps only for a network with a layer over maps, be it within a block.
func TestInputShape(t *testing.T) {
	for text, want := range map[string]string{"ln-300-10": "784", "ln-conv:3-10": "28x28x1", "ln-res(relu-res(conv:1))-10": "28x28x1", "globalmax-10": "28x28x1"} {
		items, err := layer.Parse(text, layer.Options{Inputs: 784, Classes: 10, Norm: layer.Norm{Form: layernorm.Book, Epsilon: 1e-3}})
		if err != nil {
			t.Fatal(err)
		}
		if found, err := layer.InputShape(items, 784); err != nil || found.String() != want {
			t.Errorf("%s: expected %s, found %v, %v", text, want, found, err)
		}
	}
}
