package config

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"fmtrain/configs"
)

func TestWriteYAML(t *testing.T) {
	c := Default()
	c.Hidden, c.Data, c.Out, c.Validation = []int{300, 100}, "5", "a: b", new(500)
	c.UpperSchedule = "step:epochs=3,factor=0.1"
	var got bytes.Buffer
	if err := WriteYAML(&got, c); err != nil {
		t.Fatal(err)
	}
	want := `data: "5"
out: 'a: b'
epochs: 5
batch-size: 32
accumulate: 1
hidden: [300, 100]
activation: relu
lower-solver: adam
lower-lr: 0.0001
lower-schedule: constant
upper-solver: nadam
upper-lr: 0.001
upper-schedule: step:epochs=3,factor=0.1
upper-layers: 1
lower-weight-decay: 0
upper-weight-decay: 0
weight-decay-all: false
clip-norm: 0
ema: 0
layernorm-form: book
layernorm-epsilon: 0.001
loss: auto
label-smoothing: auto
focal-gamma: auto
huber-delta: auto
metrics: [accuracy]
validation: 500
patience: 0
seed: 42
shuffle: true
threads: auto
init: ""
checkpoint-every: 60s
log-every: 0
progress: auto
json: false
`
	if got.String() != want {
		t.Errorf("found\n%s\nwanted\n%s", got.String(), want)
	}
}

func TestYAMLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyConfig(t)
		var text bytes.Buffer
		if err := WriteYAML(&text, want); err != nil {
			t.Fatal(err)
		}
		got, err := resolve("f.yaml", text.Bytes(), nil)
		if err != nil {
			t.Fatalf("%s%v", text.String(), err)
		}
		mustEqual(t, text.String(), want, got)
	})
}

// FuzzResolve: whatever a file holds, it is either refused with ErrInvalid or gives settings that, written out and read
// again, are the same.
func FuzzResolve(f *testing.F) {
	for _, name := range configs.Names() {
		text, err := configs.Read(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"", "---\n", "- 1", "epochs: five", "a: &a [*a]", "hidden: &a [*a]", "<<: {epochs: 1}", "? [a]\n: 1", "epochs: !!int \"5\"", "data: !!binary aGk="} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := resolve("f.yaml", text, nil)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v does not match ErrInvalid", err)
			}
			return
		}
		var out bytes.Buffer
		if err := WriteYAML(&out, want); err != nil {
			t.Fatal(err)
		}
		got, err := resolve("f.yaml", out.Bytes(), nil)
		if err != nil {
			t.Fatalf("%s%v", out.String(), err)
		}
		mustEqual(t, out.String(), want, got)
	})
}
