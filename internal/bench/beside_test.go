package bench

import (
	"math"
	"slices"
	"testing"
	"testing/fstest"
)

// proc is a /proc at one moment.
func proc(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func TestWhatRanBeside(t *testing.T) {
	before := readUse(proc(map[string]string{
		"stat":    "cpu 100 0 0 100 0 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nintr 5\n",
		"7/stat":  "7 (fmtrain) R 1 1 1 0 -1 0 0 0 0 0 50 0 0 0",
		"8/stat":  "8 (a (b) c) R 1 1 1 0 -1 0 0 0 0 0 10 10 0 0",
		"9/stat":  "9 (idle) S 1 1 1 0 -1 0 0 0 0 0 10 0 0 0",
		"11/stat": "11 (old) S 1 1 1 0 -1 0 0 0 0 0 900 0 0 0",
	}), 7)
	after := readUse(proc(map[string]string{ // 400 ticks later, 200 of each processor
		"stat":    "cpu 250 0 50 190 10 0 0 100 0 0\ncpu0 1 2\ncpu1 1 2\n",
		"7/stat":  "7 (fmtrain) R 1 1 1 0 -1 0 0 0 0 0 150 0 0 0",
		"8/stat":  "8 (a (b) c) R 1 1 1 0 -1 0 0 0 0 0 40 10 0 0",
		"9/stat":  "9 (idle) S 1 1 1 0 -1 0 0 0 0 0 11 0 0 0",
		"10/stat": "10 (new) R 1 1 1 0 -1 0 0 0 0 0 40 20 0 0",
		"11/stat": "11 (other) S 1 1 1 0 -1 0 0 0 0 0 20 0 0 0",
		"12/stat": "12 (cut off",
	}), 7)
	found := after.since(before)
	if math.Abs(found.Others-0.5) > 1e-12 || math.Abs(found.Stolen-0.5) > 1e-12 {
		t.Errorf("expected half a processor taken by others, and half stolen; found %+v", found)
	}
	want := []Process{{"new", 0.3}, {"a (b) c", 0.15}, {"other", 0.1}}
	if !slices.EqualFunc(found.Processes, want, func(a, b Process) bool {
		return a.Name == b.Name && math.Abs(a.Processors-b.Processors) < 1e-12
	}) {
		t.Errorf("expected %v, found %v", want, found.Processes)
	}
}

// Where there is no /proc, nothing is known.
func TestNothingKnownBeside(t *testing.T) {
	nothing := readUse(fstest.MapFS{}, 1)
	if b := nothing.since(nothing); b.Others != 0 || b.Stolen != 0 || b.Processes == nil || len(b.Processes) != 0 {
		t.Errorf("found %+v", b)
	}
}
