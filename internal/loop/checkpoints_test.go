package loop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
	"fmtrain/internal/run"
	"fmtrain/internal/solver"
)

// deep has two layers in each group.
func deep() setup {
	s := small()
	s.spec.Hidden, s.spec.UpperLayers = []int{6, 5, 4}, 2
	return s
}

// The names and shapes of a checkpoint, in its order: what other programs read.
func TestCheckpointLayout(t *testing.T) {
	s := deep()
	s.epochs = 1
	trainer := s.trainer(t)
	trainer.Settings = map[string]any{"seed": 7}
	trainer.Data = run.Data{"images": "0123"}
	train(t, trainer)
	file, err := checkpoint.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)

	lower := []string{
		"lower.0.weight [784 6]", "lower.0.bias [6]", "lower.0.norm.alpha [6]", "lower.0.norm.beta [6]",
		"lower.1.weight [6 5]", "lower.1.bias [5]", "lower.1.norm.alpha [5]", "lower.1.norm.beta [5]",
	}
	upper := []string{
		"upper.0.weight [5 4]", "upper.0.bias [4]", "upper.0.norm.alpha [4]", "upper.0.norm.beta [4]",
		"upper.weight [4 10]", "upper.bias [10]",
	}
	var want, got []string
	for _, part := range []struct {
		prefix string
		names  []string
	}{
		{"model.", lower}, {"model.", upper},
		{"solver.lower.m.", lower}, {"solver.lower.v.", lower}, {"solver.upper.m.", upper}, {"solver.upper.v.", upper},
	} {
		for _, name := range part.names {
			want = append(want, part.prefix+name)
		}
	}
	for _, tensor := range file.Tensors {
		got = append(got, fmt.Sprint(tensor.Name, " ", tensor.Shape))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tensors (-want +got):\n%s", diff)
	}

	metadata := map[string]string{
		"model":        `{"inputs":784,"layers":"784-6-ln-relu-5-ln-relu-4-ln-relu-10","classes":10,"layernorm":"book","epsilon":0.001,"upper_layers":2}`,
		"progress":     `{"epoch":1,"iteration":0,"running":{"loss_sum":0,"correct":0,"seen":0},"best_epoch":0,"best_accuracy":0}`,
		"settings":     `{"seed":7}`,
		"data":         `{"images":"0123"}`,
		"solver.lower": `{"solver":"adam","steps":3}`,
		"solver.upper": fmt.Sprintf(`{"solver":"nadam","steps":3,"scalars":{"mu_product":%v}}`, trainer.Solvers[1].State().Scalars["mu_product"]),
	}
	if diff := cmp.Diff(metadata, file.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestLoad(t *testing.T) {
	for _, s := range []setup{small(), deep()} {
		s.epochs = 1
		trainer := s.trainer(t)
		trainer.Settings = map[string]any{"data": "somewhere"}
		train(t, trainer)
		saved, err := run.Load(trainer.Checkpoints.Dir.Last())
		must(t, err)
		if diff := cmp.Diff(s.spec.Model().Text(), saved.Model.Text()); diff != "" {
			t.Errorf("architecture (-want +got):\n%s", diff)
		}
		if !same(bits(trainer.Weights), bits(saved.Weights)) {
			t.Error("other weights")
		}
		if string(saved.Settings) != `{"data":"somewhere"}` || !cmp.Equal(saved.Progress, run.Progress{Epoch: 1}) {
			t.Errorf("settings %s, progress %+v", saved.Settings, saved.Progress)
		}
		weights := s.spec.Weights(99)
		_, err = run.LoadWeights(trainer.Checkpoints.Dir.Last(), weights)
		must(t, err)
		if !same(bits(trainer.Weights), bits(weights)) {
			t.Error("LoadWeights: other weights")
		}
	}
}

// A checkpoint holds all that a resume needs. For each solver: two epochs, a restore into a new model and new solvers, and a third
// epoch give the same bits as three epochs.
func TestCheckpointSufficesToGoOn(t *testing.T) {
	for _, name := range solver.Names() {
		s := small()
		s.lower, s.upper = group{name, 1e-3}, group{name, 1e-2}
		whole := s.trainer(t)
		train(t, whole)

		s.epochs = 2
		begun := s.trainer(t)
		train(t, begun)
		s.epochs, s.seed = 3, 99
		resumed := s.trainer(t)
		resumed.Sampler = whole.Sampler
		restore(t, resumed, begun.Checkpoints.Dir.Last())
		train(t, resumed)
		if !same(bits(whole.Weights), bits(resumed.Weights)) {
			t.Errorf("%s: a resumed run has other weights", name)
		}
	}
}

// restore resumes a run from its checkpoint, in the run's directory.
func restore(t *testing.T, trainer *Trainer, path string) {
	t.Helper()
	trainer.Checkpoints.Dir = run.Dir(filepath.Dir(filepath.Dir(path)))
	saved, err := run.Load(path)
	must(t, err)
	must(t, trainer.Resume(saved, false))
}

// Weights that don't fit a model are refused: the error names the tensor and both shapes, and no weight changes.
func TestLoadWeightsRefuses(t *testing.T) {
	base := small()
	base.epochs = 0
	trainer := base.trainer(t)
	train(t, trainer)
	path := trainer.Checkpoints.Dir.Last()

	for name, test := range map[string]struct {
		change func(*modeltest.Spec)
		want   string
	}{
		"wider":         {func(s *modeltest.Spec) { s.Hidden = []int{13} }, "tensor lower.0.weight: expected shape (784, 13), found (784, 12)"},
		"deeper":        {func(s *modeltest.Spec) { s.Hidden = []int{12, 12} }, "tensor lower.1.weight: expected shape (12, 12), found no such tensor"},
		"norms":         {func(s *modeltest.Spec) { s.LayerNorm = model.NoLayerNorm }, "tensor lower.0.norm.alpha: expected none of this name, found shape (12)"},
		"other classes": {func(s *modeltest.Spec) { s.Classes = 11 }, "tensor upper.weight: expected shape (12, 11), found (12, 10)"},
	} {
		spec := base.spec
		test.change(&spec)
		weights := spec.Weights(99)
		before := bits(weights)
		_, err := run.LoadWeights(path, weights)
		if want := path + " does not fit the model: " + test.want; err == nil || err.Error() != want {
			t.Errorf("%s:\nexpected %s\nfound    %v", name, want, err)
		}
		if !same(before, bits(weights)) {
			t.Errorf("%s: weights were changed", name)
		}
	}

	missing := filepath.Join(t.TempDir(), "none.safetensors")
	if _, err := run.LoadWeights(missing, base.spec.Weights(1)); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: %v", err)
	}
	content, err := os.ReadFile(path)
	must(t, err)
	content[len(content)/2] ^= 1
	must(t, os.WriteFile(path, content, 0o644))
	if _, err := run.LoadWeights(path, base.spec.Weights(1)); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged file: %v", err)
	}
}

// A file may claim any architecture. One that can't be built, or is larger than the file's own weights, is refused by an error
// that names the file, without much memory.
func TestLoadRefusesHostileArchitectures(t *testing.T) {
	const good = `{"inputs":784,"hidden":[12],"classes":10,"activation":"relu","layernorm":"book","epsilon":0.001,"upper_layers":1}`
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	s := small()
	s.epochs = 0
	trainer := s.trainer(t)
	train(t, trainer)
	file, err := checkpoint.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)
	file.Metadata["model"] = good // as earlier versions wrote it
	earlier := filepath.Join(t.TempDir(), "earlier.safetensors")
	must(t, checkpoint.Save(earlier, file))
	if _, err := run.Load(earlier); err != nil {
		t.Fatal(err)
	}

	// Many layers: the file has enough values for each of them alone, but not for all.
	ones := strings.Repeat("1,", 50_000) + "1"
	twelves := strings.Repeat("12,", 50_000) + "12"
	nineties := "12," + strings.Repeat("90,", 350) + "90"
	for i := range 400 {
		file.Tensors = append(file.Tensors, checkpoint.Tensor{Name: fmt.Sprint("nothing.", i), Shape: []int{0}})
	}
	for _, architecture := range []string{
		"", "null", "{}", "[]", "7", `"relu"`, "{", good + good,
		change(`"inputs":784`, `"inputs":0`), change(`"inputs":784`, `"inputs":-784`), change(`"inputs":784`, `"inputs":783`),
		change(`"inputs":784`, `"inputs":9223372036854775807`), change(`"inputs":784`, `"inputs":1e99`), change(`"inputs":784`, `"inputs":"784"`),
		change(`"classes":10`, `"classes":9`), change(`"classes":10`, `"classes":4611686018427387904`),
		change("[12]", "[]"), change("[12]", "null"), change("[12]", "[0]"), change("[12]", "[-12]"), change("[12]", "[13]"), change("[12]", "[11]"),
		change("[12]", "[12,12]"), change("[12]", "[4611686018427387904]"), change("[12]", "[1099511627776,1099511627776]"),
		change("[12]", "["+ones+"]"), change("[12]", "["+twelves+"]"), change("[12]", "["+nineties+"]"),
		change("relu", ""), change("relu", "sigmoid"), change("book", "none"), change("book", ""), change("book", "torch"),
		change(`"upper_layers":1`, `"upper_layers":0`), change(`"upper_layers":1`, `"upper_layers":2`), change(`"upper_layers":1`, `"upper_layers":-1`),
		change("0.001", "1e999"), change("0.001", `"0.001"`),
	} {
		shown := architecture[:min(150, len(architecture))]
		file.Metadata["model"] = architecture
		path := filepath.Join(t.TempDir(), "hostile.safetensors")
		must(t, checkpoint.Save(path, file))

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := run.Load(path)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: expected an error that begins with the file, found %v", shown, err)
		} else if len(err.Error()) > len(path)+500 {
			t.Errorf("%s: an error of %d bytes", shown, len(err.Error()))
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<20+40*uint64(len(architecture)) {
			t.Errorf("%s: %d bytes allocated", shown, allocated)
		}
	}
}

// A checkpoint without a run's metadata, or with another run's tensors, is refused, and the error says what is missing.
func TestLoadRefusesIncompleteCheckpoints(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*checkpoint.Checkpoint)
		want  string
	}{
		"no progress": {func(c *checkpoint.Checkpoint) { delete(c.Metadata, "progress") }, `expected JSON under "progress"`},
		"no model":    {func(c *checkpoint.Checkpoint) { delete(c.Metadata, "model") }, `expected JSON under "model"`},
		"no tensors":  {func(c *checkpoint.Checkpoint) { c.Tensors = nil }, "tensor lower.0.weight: expected shape (784, 12), found no such tensor"},
		"missing tensor": {func(c *checkpoint.Checkpoint) { c.Tensors = c.Tensors[1:] },
			"tensor lower.0.weight: expected shape (784, 12), found no such tensor"},
		"extra tensor": {func(c *checkpoint.Checkpoint) {
			c.Tensors = append(c.Tensors, checkpoint.Tensor{Name: "model.middle.weight", Shape: []int{1}, Data: []float32{1}})
		}, "tensor middle.weight: expected none of this name, found shape (1)"},
		"other shape": {func(c *checkpoint.Checkpoint) { c.Tensors[0].Shape = []int{12, 784} },
			"tensor lower.0.weight: expected shape (784, 12), found (12, 784)"},
	} {
		s := small()
		s.epochs = 0
		trainer := s.trainer(t)
		train(t, trainer)
		path := trainer.Checkpoints.Dir.Last()
		file, err := checkpoint.Load(path)
		must(t, err)
		test.spoil(file)
		must(t, checkpoint.Save(path, file))
		if _, err := run.Load(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: expected %q in the error, found %v", name, test.want, err)
		}
	}
}

// A run whose checkpoint can't be written ends with an error that names the file.
func TestUnwritableCheckpoint(t *testing.T) {
	trainer := small().trainer(t)
	trainer.Checkpoints.Dir = run.Dir(filepath.Join(t.TempDir(), "gone"))
	_, err := trainer.Run(context.Background())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), trainer.Checkpoints.Dir.Last()) {
		t.Errorf("expected an error that names %s, found %v", trainer.Checkpoints.Dir.Last(), err)
	}
}
