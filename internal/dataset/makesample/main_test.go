package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmtrain/internal/dataset"

	"github.com/google/go-cmp/cmp"
)

// images is a set whose image i is filled with the byte i.
func images(labels ...uint8) *dataset.Set {
	s := &dataset.Set{Labels: labels}
	for i := range labels {
		for range dataset.Pixels {
			s.Images = append(s.Images, uint8(i))
		}
	}
	return s
}

func TestBalanced(t *testing.T) {
	s := images(3, 1, 3, 0, 2, 4, 5, 3, 6, 9, 8, 7, 0)
	found, err := balanced(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := &dataset.Set{}
	for _, i := range []int{0, 1, 3, 4, 5, 6, 8, 9, 10, 11} {
		want.Images = append(want.Images, s.Slice(i, i+1).Images...)
		want.Labels = append(want.Labels, s.Labels[i])
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if _, err := balanced(s, 2); err == nil || !strings.Contains(err.Error(), "at least 2 of class 1, found 1") {
		t.Errorf("expected an error that names the class, found %v", err)
	}
}

// A set that is written twice gives the same bytes both times, and reads back as it was.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	var files [2][]byte
	for i := range files {
		path := filepath.Join(dir, "labels")
		if err := write(path, []uint8{1, 2, 3}, dataset.WriteLabels); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(files[0], files[1]); diff != "" {
		t.Error(diff)
	}
	labels, err := dataset.ReadLabels(strings.NewReader(string(files[0])), "labels")
	if diff := cmp.Diff([]uint8{1, 2, 3}, labels); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
}

func TestRunNeedsTheRealData(t *testing.T) {
	for _, data := range []string{"", dataset.SampleName, t.TempDir()} {
		if err := run(data, t.TempDir()); err == nil {
			t.Errorf("-data %q: expected an error", data)
		}
	}
}
