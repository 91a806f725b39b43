package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/picturetest"
	"fmtrain/internal/run"
)

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // a program built with the race detector otherwise sleeps for a second at its end
	testscript.Main(m, map[string]func(){"fmtrain": main})
}

// TestScript runs the program as a user does. Each script in testdata/script is a session in a shell, in its own directory with its own
// home and cache. The commands below are added to those of testscript.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv(dataset.DirVariable, "")
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode":    exitcode,
			"interrupt":   interrupt,
			"events":      events,
			"keys":        keys,
			"sameweights": sameWeights,
			"sameloss":    sameLoss,
			"samelines":   sameLines,
			"sha256":      weightsSHA256,
			"damage":      damage,
			"images":      images,
			"pictures":    pictures,

			"sameprobabilities": sameProbabilities,
			"samemistakes":      sameMistakes,
		},
	})
}

// exitcode CODE PROGRAM ARG... runs a program that must end with this code.
func exitcode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if args[0] != strconv.Itoa(code) {
		ts.Fatalf("expected the exit code %s, found %d", args[0], code)
	}
}

// interrupt METRICS ARG... runs fmtrain with --log-every 1 until its metrics have three lines, and presses Ctrl-C. It must end
// with the code 130, and the last line must be that of the iteration that it reports as saved.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	var stderr bytes.Buffer
	cmd := exec.Command("fmtrain", args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	cmd.Stdout, cmd.Stderr = ts.Stdout(), io.MultiWriter(&stderr, ts.Stderr())
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()

	deadline := time.After(30 * time.Second)
	var metrics []byte
	for bytes.Count(metrics, []byte("\n")) < 3 {
		select {
		case err := <-ended:
			ts.Fatalf("fmtrain ended before it was interrupted: %v", err)
		case <-deadline:
			ts.Fatalf("after 30 s %s has %d bytes", args[0], len(metrics))
		case <-time.After(5 * time.Millisecond):
		}
		metrics, _ = os.ReadFile(ts.MkAbs(args[0])) // the run may not have made it yet
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	select {
	case <-ended:
	case <-deadline:
		ts.Fatalf("fmtrain went on for 30 s after it was interrupted")
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		ts.Fatalf("expected the exit code %d, found %d", exitInterrupted, code)
	}

	said := regexp.MustCompile(`interrupted in epoch (\d+), step (\d+) of`).FindStringSubmatch(stderr.String())
	if said == nil {
		ts.Fatalf("fmtrain did not say that it was interrupted")
	}
	want := fmt.Sprintf(`{"event":"iteration","epoch":%s,"iteration":%s,`, said[1], said[2])
	if said[2] == "0" {
		want = `{"event":"epoch",`
	}
	all := slices.Collect(strings.Lines(ts.ReadFile(args[0])))
	if last := all[len(all)-1]; !strings.HasPrefix(last, want) {
		ts.Fatalf("%s: expected the last line to begin with %s, found %s", args[0], want, last)
	}
}

// lines are the JSON objects of a file, one a line, each with its keys in order. A key in a nested object is outer.inner.
func lines(ts *testscript.TestScript, file string) (objects []map[string]any, order [][]string) {
	for line := range strings.Lines(ts.ReadFile(file)) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("%s: %v in the line %s", file, err, line)
		}
		objects = append(objects, object)
		order = append(order, keysOf(ts, line))
	}
	return objects, order
}

// keysOf are the keys of a JSON object, in order.
func keysOf(ts *testscript.TestScript, object string) (found []string) {
	dec := json.NewDecoder(strings.NewReader(object))
	_, err := dec.Token()
	ts.Check(err)
	for dec.More() {
		key, err := dec.Token()
		ts.Check(err)
		var value json.RawMessage
		ts.Check(dec.Decode(&value))
		if value[0] != '{' {
			found = append(found, key.(string))
			continue
		}
		for _, inner := range keysOf(ts, string(value)) {
			found = append(found, key.(string)+"."+inner)
		}
	}
	return found
}

// events FILE EVENT... checks that a file of JSON lines has these events in this order, and nothing else.
func events(ts *testscript.TestScript, _ bool, args []string) {
	objects, _ := lines(ts, args[0])
	var found []string
	for _, o := range objects {
		found = append(found, fmt.Sprint(o["event"]))
	}
	if diff := cmp.Diff(args[1:], found); diff != "" {
		ts.Fatalf("%s: events (-want +got):\n%s", args[0], diff)
	}
}

// keys FILE EVENT KEY... checks that the lines of this event have these keys in this order, after the event itself. For a file
// without events, EVENT is -.
func keys(ts *testscript.TestScript, _ bool, args []string) {
	objects, order := lines(ts, args[0])
	if i := slices.Index(args, "SETTINGS"); i >= 0 {
		defaults, err := json.Marshal(config.Default())
		ts.Check(err)
		args = slices.Replace(slices.Clone(args), i, i+1, keysOf(ts, string(defaults))...)
	}
	seen := false
	for i, o := range objects {
		want := args[2:]
		if args[1] != "-" {
			want = append([]string{"event"}, want...)
			if o["event"] != args[1] {
				continue
			}
		}
		seen = true
		if diff := cmp.Diff(want, order[i]); diff != "" {
			ts.Fatalf("%s, line %d: keys (-want +got):\n%s", args[0], i+1, diff)
		}
	}
	if !seen {
		ts.Fatalf("%s: no line of the event %s", args[0], args[1])
	}
}

// [!] sameweights CHECKPOINT CHECKPOINT says whether the models of two checkpoints have the same bits.
func sameWeights(ts *testscript.TestScript, neg bool, args []string) {
	var models [2]*run.Saved
	for i, path := range args {
		saved, err := run.Load(ts.MkAbs(path))
		ts.Check(err)
		models[i] = saved
	}
	same := len(models[0].Weights) == len(models[1].Weights)
	for i, w := range models[0].Weights {
		other := models[1].Weights[min(i, len(models[1].Weights)-1)]
		same = same && w.Name == other.Name && slices.Equal(w.Value.Float32s(), other.Value.Float32s())
	}
	if same == neg {
		ts.Fatalf("%s and %s have the same weights: %v", args[0], args[1], same)
	}
}

// sameloss EVALUATION METRICS checks that the JSON of an evaluation has the loss, the accuracy and the metrics of the last epoch
// in a file of JSON lines.
func sameLoss(ts *testscript.TestScript, _ bool, args []string) {
	evaluations, _ := lines(ts, args[0])
	events, _ := lines(ts, args[1])
	var last map[string]any
	for _, o := range events {
		if o["event"] == "epoch" {
			last = o
		}
	}
	for key, of := range map[string]string{"loss": "val_loss", "accuracy": "val_accuracy", "metrics": "metrics"} {
		if diff := cmp.Diff(last[of], evaluations[0][key]); diff != "" {
			ts.Fatalf("%s of %s and %s of %s (-epoch +evaluation):\n%s", of, args[1], key, args[0], diff)
		}
	}
}

// times are the parts of metrics with dates and durations, and the lines of resumes.
var times = regexp.MustCompile(`"(seconds|samples_per_second|session_seconds|total_seconds|date)":[^,}]*|(?m:^{"event":"resume",.*\n)`)

// timeless is metrics without the times.
func timeless(metrics string) string { return times.ReplaceAllString(metrics, "") }

// samelines METRICS METRICS checks that two files of metrics have the same bytes except for the times.
func sameLines(ts *testscript.TestScript, _ bool, args []string) {
	if diff := cmp.Diff(timeless(ts.ReadFile(args[0])), timeless(ts.ReadFile(args[1]))); diff != "" {
		ts.Fatalf("lines (-%s +%s):\n%s", args[0], args[1], diff)
	}
}

// [!] sha256 NAME N ARG... runs fmtrain N times and checks that the weights' SHA-256 that it prints is that of the first call with
// this NAME.
func weightsSHA256(ts *testscript.TestScript, neg bool, args []string) {
	times, err := strconv.Atoi(args[1])
	ts.Check(err)
	for range times {
		ts.Check(ts.Exec("fmtrain", append(args[2:], "--progress", "none")...))
		found := regexp.MustCompile(`SHA-256 ([0-9a-f]{64})\n`).FindStringSubmatch(ts.ReadFile("stdout"))
		if found == nil {
			ts.Fatalf("no SHA-256 on stdout")
		}
		first := ts.Getenv("SHA256_" + args[0])
		if first == "" {
			ts.Setenv("SHA256_"+args[0], found[1])
		} else if same := first == found[1]; same == neg {
			ts.Fatalf("the weights have the SHA-256 %s, the first ones %s", found[1], first)
		}
	}
}

// damage FILE cut|flip N cuts a file to N bytes, or flips the highest bit of byte N, counted from 0. N may be counted
// from the end, as -1.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	content, err := os.ReadFile(path)
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	if n < 0 {
		n += len(content)
	}
	switch args[1] {
	case "cut":
		content = content[:n]
	case "flip":
		content[n] ^= 0x80
	default:
		ts.Fatalf("damage: %s", args[1])
	}
	ts.Check(os.WriteFile(path, content, 0o644))
}

// images DIR TRAIN TEST makes a data set of noise with TRAIN training and TEST test images.
func images(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	source := rand.New(rand.NewPCG(1, 2))
	for i, name := range []string{"train", "t10k"} {
		n, err := strconv.Atoi(args[1+i])
		ts.Check(err)
		pixels, labels := make([]uint8, n*dataset.Pixels), make([]uint8, n)
		for i := range pixels {
			pixels[i] = uint8(source.Uint32())
		}
		for i := range labels {
			labels[i] = uint8(i % dataset.Classes)
		}
		for _, file := range []struct {
			name  string
			write func(io.Writer, []uint8) error
			body  []uint8
		}{{name + "-images-idx3-ubyte", dataset.WriteImages, pixels}, {name + "-labels-idx1-ubyte", dataset.WriteLabels, labels}} {
			var content bytes.Buffer
			ts.Check(file.write(&content, file.body))
			ts.Check(os.WriteFile(filepath.Join(dir, file.name), content.Bytes(), 0o644))
		}
	}
}

// pictures DIR makes pictures of the sample's first test images. Each is named after its content.
func pictures(ts *testscript.TestScript, _ bool, args []string) {
	data, err := dataset.Load(context.Background(), dataset.Options{Dir: dataset.SampleName})
	ts.Check(err)
	row := func(n int) []uint8 { return data.Test.Images[n*dataset.Pixels : (n+1)*dataset.Pixels] }
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	photo := picturetest.JPEG(picturetest.Photograph(row(0), 60))
	for name, file := range map[string][]byte{
		"grey.png":        picturetest.PNG(picturetest.Grey(row(0))),
		"negative.gif":    picturetest.GIF(picturetest.Negative(row(0))),
		"photo.jpg":       photo,
		"transparent.png": picturetest.PNG(picturetest.Transparent(row(0))),
		"grey.webp":       picturetest.WebP(picturetest.Grey(row(0))),
		"wall.JPEG":       picturetest.JPEG(picturetest.Gradient(640, 480)),
		"blank.png":       picturetest.PNG(picturetest.Grey(make([]uint8, dataset.Pixels))),
		"cut.jpg":         photo[:len(photo)/2],
		"notes.txt":       []byte("a boot\n"),
	} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), file, 0o644))
	}
}

// sameprobabilities CSV checks that all lines of predict have the same probabilities.
func sameProbabilities(ts *testscript.TestScript, _ bool, args []string) {
	records, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[0]))).ReadAll()
	ts.Check(err)
	for _, record := range records[2:] {
		if diff := cmp.Diff(records[1][5:], record[5:]); diff != "" {
			ts.Fatalf("probabilities (-%s +%s):\n%s", records[1][0], record[0], diff)
		}
	}
}

// samemistakes EVALUATION checks that predict makes the mistakes of an evaluation of the newest run: the same classes with the same
// probabilities, the most confident first.
func sameMistakes(ts *testscript.TestScript, _ bool, args []string) {
	var evaluation struct{ Mistakes []mistake }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &evaluation))
	last := float32(1)
	for _, m := range evaluation.Mistakes {
		ts.Check(ts.Exec("fmtrain", "predict", "--json", fmt.Sprintf("test:%d", m.Index)))
		var found struct {
			Label, Prediction string
			Probabilities     map[string]float32
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &found))
		if got := (mistake{m.Index, found.Label, found.Prediction, found.Probabilities[found.Prediction]}); got != m || m.Label == m.Prediction {
			ts.Fatalf("eval found %v, predict %v", m, got)
		}
		if m.Probability > last {
			ts.Fatalf("%v comes after a mistake of the probability %v", m, last)
		}
		last = m.Probability
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
