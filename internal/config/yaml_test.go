package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fmtrain/configs"
)

func TestWriteYAML(t *testing.T) {
	c := Default()
	c.Hidden, c.Data, c.Out, c.Validation = []int{300, 100}, "5", "a: b", new(500)
	c.Groups[1].Schedule = parsed(t, "step:epochs=3")
	var got bytes.Buffer
	if err := WriteYAML(&got, c); err != nil {
		t.Fatal(err)
	}
	text := got.String()
	for _, want := range []string{
		"data: \"5\"\nout: 'a: b'\nepochs: 5\nbatch-size: 32\n", "\nlayers: \"\"\nchannels: []\nhidden: [300, 100]\n", "\nlower-lr: 0.0001\n",
		"\nlower-schedule: constant\n", "\nupper-schedule: step:epochs=3,factor=0.1\n", "\nlower-weight-decay: 0\n", "\ngroups: \"\"\n",
		"\nloss: auto\nlabel-smoothing: auto\n", "\nmetrics: [accuracy]\nvalidation: 500\n", "\nseed: 42\nshuffle: true\nthreads: auto\n",
		"\ncheckpoint-every: 60s\n",
	} {
		if !strings.Contains("\n"+text, "\n"+strings.TrimPrefix(want, "\n")) {
			t.Errorf("expected %q in\n%s", want, text)
		}
	}
	var keys []string
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, ":")
		keys = append(keys, key)
	}
	shared := []string{"lr", "solver", "schedule", "weight-decay"} // their values are written for each group
	want := slices.DeleteFunc(allKeys(), func(key string) bool { return slices.Contains(shared, key) })
	if !slices.Equal(keys, want) {
		t.Errorf("expected the keys %q, found %q", want, keys)
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

// FuzzResolve checks that any file is refused with ErrInvalid or gives settings that are the same after writing and reading them.
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
		if len(text) > maxFile {
			return
		}
		want, err := resolveWithin(t, text)
		if err != nil {
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

// resolveWithin resolves a file and checks what must be true of any file: every error matches ErrInvalid, and memory is limited. The YAML
// library needs about 240 bytes for an entry of two bytes, as in a list of digits, and 560 for a list in a list. That is why a file may
// have at most maxFile bytes.
func resolveWithin(t *testing.T, text []byte) (Config, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := resolve("f.yaml", text, nil)
	runtime.ReadMemStats(&after)
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<19+600*len(text)); used > most {
		t.Errorf("allocated %d bytes for %d, want at most %d", used, len(text), most)
	}
	if err != nil && !errors.Is(err, ErrInvalid) {
		t.Errorf("%v does not match ErrInvalid", err)
	}
	return c, err
}

// Files made to use much memory or time are refused without using it.
func TestResolveIsBounded(t *testing.T) {
	lines := func(format string) string {
		var b strings.Builder
		for n := 0; b.Len() < maxFile-100; n++ {
			fmt.Fprintf(&b, format, n)
		}
		return b.String()
	}
	again := func(text string) string { return strings.Repeat(text, (maxFile-100)/len(text)) }
	long := strings.Repeat("x", maxFile/2)
	for _, c := range []struct{ what, text, want string }{
		{"lists in lists", "hidden: " + again("["), "not valid YAML"},
		{"lists in lists that end", "hidden: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "f.yaml:1: hidden: expected"},
		{"lists in lists, line by line", strings.Repeat("- ", 9000) + "a", `expected lines of "key: value", found the list [a list]`},
		{"mappings in mappings", again("{a: "), "not valid YAML"},
		{"a list that holds itself", "hidden: &a [*a]", "f.yaml:1: hidden: expected"},
		{"lists of a list, over and over", lines("a%[1]d: &a%[1]d [*a, *a, *a, *a]\n"), "not valid YAML"},
		{"a bomb", "a0: &a0 [1]\n" + bomb(), "not read from here on"},
		{"a long text, over and over", "data: &a " + long + "\nhidden: [" + strings.Repeat("*a,", maxFile/8) + "1]", "f.yaml:2: hidden: expected"},
		{"the same key, over and over", again("epochs: 1\n"), "f.yaml:52: not read from here on, as too much is wrong"},
		{"thousands of keys", lines("%d:\n"), "f.yaml:51: not read from here on, as too much is wrong"},
		{"a long number", "epochs: " + again("1"), "f.yaml:1: epochs: expected a whole number"},
		{"a long key", "? " + long + "\n: 1", "unknown setting"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := resolveWithin(t, []byte(c.text))
			if !strings.Contains(message(err), c.want) {
				t.Errorf("expected the error %q, found %.300v", c.want, err)
			}
		})
	}
}

// bomb is a YAML text of nested lists, each with ten times the entries of the previous one.
func bomb() string {
	var b strings.Builder
	for n := range 60 {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", n+1, n+1, strings.Repeat(fmt.Sprintf("*a%d,", n), 10))
	}
	return b.String()
}

// A file that is too long is not read to its end, because it may have no end.
func TestResolveEndlessFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.yaml")
	if err := os.WriteFile(path, bytes.Repeat([]byte("#\n"), maxFile), 0o644); err != nil {
		t.Fatal(err)
	}
	files := []string{path}
	if _, err := os.Stat("/dev/zero"); err == nil {
		files = append(files, "/dev/zero")
	}
	for _, file := range files {
		_, err := Resolve(file, nil)
		want := "config " + file + ": expected a settings file of at most 32768 bytes, found more"
		if message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("expected the error %q, found %v", want, err)
		}
	}
}

// Texts that YAML has trouble with are read back as they were written.
func TestWriteYAMLStrangeText(t *testing.T) {
	for _, text := range []string{"\t\n", "\n", " \n ", "\t", "a\tb", "a\n\n b\n", "\r\n", "\x00", "\x7f", "\u0085", "\u2028", "\ufeff", "\ufeff: ", "\ufffd", "\U0001f642", "- a", "# a", "null", "~", `"`, "'", "!x", "&x", "*x", "%", "@"} {
		want := Default()
		want.Init = text
		var out bytes.Buffer
		if err := WriteYAML(&out, want); err != nil {
			t.Fatal(err)
		}
		got, err := resolve("f.yaml", out.Bytes(), nil)
		if err != nil || got.Init != text {
			t.Errorf("expected %q, found %q, %v", text, got.Init, err)
		}
	}
}
