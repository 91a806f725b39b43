package loop

import (
	"errors"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/run"
)

// saved is the last checkpoint of a small run with averaged weights.
func saved(t testing.TB) *checkpoint.Checkpoint {
	t.Helper()
	s := small()
	s.spec.Hidden, s.epochs, s.decay = []int{2}, 1, 0.9
	trainer := s.trainer(t)
	trainer.Settings = map[string]any{"data": "sample"}
	train(t, trainer)
	file, err := checkpoint.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)
	return file
}

// altered is a copy of the checkpoint that shares its tensors' values. Metadata that are not empty replace the checkpoint's.
func altered(file *checkpoint.Checkpoint, metadata map[string]string) *checkpoint.Checkpoint {
	c := &checkpoint.Checkpoint{Metadata: maps.Clone(file.Metadata), Tensors: slices.Clone(file.Tensors)}
	for key, value := range metadata {
		if value != "" {
			c.Metadata[key] = value
		}
	}
	return c
}

// interpretWithin interprets a checkpoint and checks what must be true of any: it takes at most a small multiple of its size in memory,
// and gives an error of limited length or a model that can be evaluated.
func interpretWithin(t *testing.T, file *checkpoint.Checkpoint) error {
	t.Helper()
	size := 0
	for key, value := range file.Metadata {
		size += len(key) + len(value)
	}
	for _, tensor := range file.Tensors {
		size += 4*len(tensor.Data) + len(tensor.Name)
	}
	path := filepath.Join(t.TempDir(), "hostile.safetensors")
	if err := checkpoint.Save(path, file); err != nil {
		return nil // no checkpoint can be like this
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := run.Load(path)
	runtime.ReadMemStats(&after)
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<16+64*size); used > most {
		t.Errorf("allocated %d bytes for %d, want at most %d", used, size, most)
	}
	if err != nil {
		if len(err.Error()) > 2000 {
			t.Errorf("error of %d bytes: %.100s...", len(err.Error()), err)
		}
		return err
	}
	evaluator, err := NewEvaluator(s.Model, s.Weights, noisyImages(1, 1))
	must(t, err)
	if _, err := evaluator.Evaluate(); err != nil {
		t.Error(err)
	}
	return nil
}

// FuzzInterpret interprets a checkpoint with any texts as metadata, and any name and shape for one of its tensors.
func FuzzInterpret(f *testing.F) {
	file := saved(f)
	f.Add("", "", "", uint8(0), "", uint16(0), uint16(0))
	f.Add(file.Metadata["model"], file.Metadata["progress"], `{"data":"/"}`, uint8(1), "model.upper.bias", uint16(10), uint16(0))
	f.Add(`{"inputs":784,"hidden":[2],"classes":10,"activation":"gelu","layernorm":"none","upper_layers":1,"loss":{"name":"focal","focal_gamma":1}}`,
		`{"epoch":-1,"val_losses":[1e308]}`, "[]", uint8(2), "ema.lower.0.bias", uint16(2), uint16(0))
	f.Add(`{"inputs":784,"hidden":[1073741824,4294967296],"classes":10,"activation":"relu","layernorm":"book","epsilon":1e-300,"upper_layers":1}`,
		`{"running":null}`, "", uint8(3), "model.lower.7.weight", uint16(784), uint16(3))
	f.Fuzz(func(t *testing.T, model, progress, settings string, which uint8, name string, rows, columns uint16) {
		c := altered(file, map[string]string{"model": model, "progress": progress, "settings": settings})
		if name != "" {
			rows, columns = rows%1000, columns%100
			shape := []int{int(rows)}
			if columns > 0 {
				shape = append(shape, int(columns))
			}
			data := make([]float32, int(rows)*max(1, int(columns)))
			c.Tensors[int(which)%len(c.Tensors)] = checkpoint.Tensor{Name: name, Shape: shape, Data: data}
		}
		_ = interpretWithin(t, c)
	})
}

// FuzzResume resumes a checkpoint with any texts as metadata of its run. The checkpoint is refused, or the run resumes and trains to
// its end.
func FuzzResume(f *testing.F) {
	file := saved(f)
	s := small()
	s.spec.Hidden, s.epochs, s.decay, s.patience, s.schedules = []int{2}, 2, 0.9, 3, [2]string{"plateau", "1cycle"}
	for _, progress := range []string{
		file.Metadata["progress"],
		`{"iteration":1,"running":{"loss_sum":70,"correct":9,"seen":32},"elapsed":1000}`,
		`{"epoch":2,"best_epoch":1,"best_accuracy":1e308,"val_losses":[1,null,-1]}`,
		`{"iteration":2,"running":{"loss_sum":-1e308,"correct":-1,"seen":64},"metrics":[1,2],"elapsed":-9223372036854775808}`,
	} {
		f.Add(progress, file.Metadata["solver.lower"], file.Metadata["solver.upper"], file.Metadata["data"])
	}
	f.Add("", `{"solver":"adam","steps":18446744073709551615}`, `{"solver":"nadam","steps":1,"scalars":{"mu_product":-1e999,"x":0}}`, `{"images":""}`)
	f.Add("", `{"solver":"adam","steps":0}`, `{"solver":"nadam","steps":3}`, "{}")
	f.Fuzz(func(t *testing.T, progress, lower, upper, data string) {
		path := filepath.Join(t.TempDir(), "hostile.safetensors")
		if checkpoint.Save(path, altered(file, map[string]string{"progress": progress, "solver.lower": lower, "solver.upper": upper, "data": data})) != nil {
			return
		}
		saved, err := run.Load(path)
		if err != nil {
			return
		}
		trainer := s.trainer(t)
		set, err := metric.NewSet([]string{"top3"}, dataset.ClassNames[:])
		must(t, err)
		trainer.Metrics = set
		if trainer.Resume(saved, false) != nil {
			return
		}
		_, err = trainer.Run(t.Context())
		var diverged *Diverged
		var unsaved *Unsaved
		if err != nil && !errors.As(err, &diverged) && !errors.As(err, &unsaved) {
			t.Error(err)
		}
	})
}

// Hostile metadata in a checkpoint that is otherwise intact.
func TestHostileMetadata(t *testing.T) {
	file := saved(t)
	spec := func(old, new string) map[string]string {
		text := file.Metadata["model"]
		if strings.Count(text, old) != 1 {
			t.Fatalf("expected %s once in %s", old, text)
		}
		return map[string]string{"model": strings.Replace(text, old, new, 1)}
	}
	earlier := func(hidden string) map[string]string {
		return map[string]string{"model": `{"inputs":784,"hidden":` + hidden +
			`,"classes":10,"activation":"relu","layernorm":"book","epsilon":0.001,"upper_layers":1}`}
	}
	long := strings.Repeat("x", 1<<18)
	if err := interpretWithin(t, altered(file, earlier("[2]"))); err != nil {
		t.Errorf("the architecture as an earlier version wrote it: %v", err)
	}
	for _, c := range []struct {
		name     string
		metadata map[string]string
		want     string
	}{
		{"no JSON", map[string]string{"model": "model"}, `expected JSON under "model"`},
		{"much that is no JSON", map[string]string{"progress": long}, `expected JSON under "progress"`},
		{"much in a solver that is no JSON", map[string]string{"solver.lower": long}, `expected JSON under "solver.lower"`},
		{"a solver of many digits", map[string]string{"solver.lower": `{"steps":` + strings.Repeat("1", 1<<18) + "}"}, `expected JSON under "solver.lower"`},
		{"a solver of a long group", map[string]string{"solver." + long: "x"}, `expected JSON under "solver.xxx`},
		{"deep nesting", map[string]string{"model": strings.Repeat("[", 1<<18)}, `expected JSON under "model"`},
		{"deep nesting in a loss", spec(`"upper_layers":1`, `"upper_layers":1,"loss":{"name":"focal","x":`+strings.Repeat("[", 1<<18)+"}"), `expected JSON under "model"`},
		{"a long activation", spec("relu", long), "expected a layer"},
		{"a long form", spec("book", long), "expected a LayerNorm"},
		{"a loss of a long name", spec(`"upper_layers":1`, `"upper_layers":1,"loss":{"name":"`+long+`"}`), "loss: expected one of"},
		{"a loss with a long setting", spec(`"upper_layers":1`, `"upper_layers":1,"loss":{"name":"focal","`+long+`":1}`), "has no setting"},
		{"a loss with a long value", spec(`"upper_layers":1`, `"upper_layers":1,"loss":{"name":"focal","focal_gamma":"`+long+`"}`), "focal_gamma: expected"},
		{"a loss that is a long name", spec(`"upper_layers":1`, `"upper_layers":1,"loss":{"name":["`+long+`"]}`), "expected a name"},
		{"a million layers", spec("784-2", "784"+strings.Repeat("-1", 1<<20)), "expected at most 4096 layers"},
		{"layers that overflow", spec("784-2", "784-4294967296-4294967296"), "from 1 to 65536 units"},
		{"a wide layer", spec("784-2", "784-65536"), "expected shape (784, 65536), found (784, 2)"},
		{"no hidden layer", earlier("[]"), "from 1 to 1024 hidden layers"},
		{"a million hidden layers", earlier("[" + strings.Repeat("1,", 1<<20) + "1]"), "from 1 to 1024 hidden layers"},
		{"a wide hidden layer", earlier("[1099511627776]"), "of 1 to 65536 units"},
		{"other inputs", spec(`"inputs":784`, `"inputs":1099511627776`), "expected 784 inputs"},
		{"another layer's weights", spec("784-2", "784-1"), "shape"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := interpretWithin(t, altered(file, c.metadata))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected the error %q, found %.300v", c.want, err)
			}
		})
	}
}

// Nothing in a checkpoint is executed: unknown metadata and tensors are ignored, whatever they say.
func TestUnknownMetadataIsPassedOver(t *testing.T) {
	file := altered(saved(t), map[string]string{
		"__reduce__": `{"callable":"os.system","args":["touch owned"]}`,
		"exec":       "#!/bin/sh\ntouch owned\n",
		"init":       "/etc/passwd",
	})
	file.Tensors = append(file.Tensors, checkpoint.Tensor{Name: "solver.lower.exec.upper.bias", Data: make([]float32, 1)})
	t.Chdir(t.TempDir())
	path := "hostile.safetensors"
	must(t, checkpoint.Save(path, file))
	s, err := run.Load(path)
	must(t, err)
	if s.Model.Inputs != dataset.Pixels || len(s.Weights) != 6 {
		t.Errorf("expected the model as it was saved, found %+v", s.Model)
	}
}
