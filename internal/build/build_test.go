package build

import (
	"context"
	"testing"

	"github.com/spf13/pflag"

	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/run"
)

// sample loads the embedded images.
func sample(t *testing.T) *dataset.Data {
	t.Helper()
	options := dataset.DefaultOptions()
	options.Dir = dataset.SampleName
	data, err := dataset.Load(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// small is the settings of a small run with every feature.
func small(t *testing.T) config.Config {
	t.Helper()
	flags := pflag.NewFlagSet("train", pflag.ContinueOnError)
	config.AddFlags(flags)
	err := flags.Parse([]string{
		"--data", dataset.SampleName, "--hidden", "4", "--epochs", "1", "--batch-size", "100", "--ema", "0.9", "--metrics", "top3",
		"--upper-schedule", "cosine:warmup=5",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Resolve("", flags)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trainer builds a run; without checkpoints it is saved nowhere.
func trainer(t *testing.T, c config.Config, data *Data, checkpoints *run.Checkpoints) *loop.Trainer {
	t.Helper()
	m, err := NewModel(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	built, err := m.Trainer(Run{Data: data, Checkpoints: checkpoints})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(built.Team.Close)
	return built
}

// Many runs train in one process over one copy of the images. Each has the same result as alone and in a run directory.
func TestRunsShareData(t *testing.T) {
	c := small(t)
	data, err := Split(&c, sample(t))
	if err != nil {
		t.Fatal(err)
	}
	if data.Validation.Len() != *c.Validation || data.Training.Len()+data.Validation.Len() != data.Train.Len() {
		t.Errorf("%d training, %d validation images of %d", data.Training.Len(), data.Validation.Len(), data.Train.Len())
	}
	checkpoints, err := run.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoints.Close()
	alone := trainer(t, c, data, checkpoints)
	want, err := alone.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if out := alone.Settings.(config.Config).Out; out != string(checkpoints.Dir) || want.Checkpoint != checkpoints.Dir.Best() {
		t.Errorf("the run in %s has the settings of %s and names %s", checkpoints.Dir, out, want.Checkpoint)
	}

	const runs = 3
	digests := make(chan string, runs)
	for range runs {
		built := trainer(t, c, data, nil)
		go func() {
			done, err := built.Run(context.Background())
			if err != nil {
				t.Error(err)
				digests <- ""
				return
			}
			digests <- done.WeightsSHA256
		}()
	}
	for range runs {
		if got := <-digests; got != want.WeightsSHA256 {
			t.Errorf("found the weights %s, expected %s", got, want.WeightsSHA256)
		}
	}
}

// A built run resumes where it was saved, and starts from another run's weights.
func TestResumeAndInit(t *testing.T) {
	c := small(t)
	data, err := Split(&c, sample(t))
	if err != nil {
		t.Fatal(err)
	}
	checkpoints, err := run.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoints.Close()
	if _, err := trainer(t, c, data, checkpoints).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	saved, _, err := checkpoints.Dir.Load()
	if err != nil {
		t.Fatal(err)
	}
	c.Out, c.Epochs = string(checkpoints.Dir), 2
	m, err := NewModel(c, saved)
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := m.Trainer(Run{Data: data, Checkpoints: checkpoints, From: saved})
	if err != nil {
		t.Fatal(err)
	}
	defer resumed.Team.Close()
	done, err := resumed.Run(t.Context())
	if err != nil || done.Epochs != 2 {
		t.Errorf("found %+v, %v", done, err)
	}

	c.Init, c.Out = string(checkpoints.Dir), ""
	if m, err = NewModel(c, nil); err != nil {
		t.Fatal(err)
	}
	best, err := run.Load(checkpoints.Dir.Best())
	if err != nil {
		t.Fatal(err)
	}
	if run.Digest(m.Weights) != run.Digest(best.Weights) {
		t.Error("--init: other weights than the best of the run")
	}
	c.BatchSize++
	saved.Data = run.Data{"train-images-idx3-ubyte": "0"}
	if m, err = NewModel(c, saved); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Trainer(Run{Data: data, From: saved}); err == nil {
		t.Error("a run resumed on other data")
	}
}
