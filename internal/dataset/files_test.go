package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func states(status [4]FileStatus) (s [4]State) {
	for i := range status {
		s[i] = status[i].State
	}
	return s
}

func TestVerify(t *testing.T) {
	f := newFixture()
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   [4]State
		err    string // of the second file
	}{
		{name: "as it should be", change: func(*testing.T, string) {}, want: [4]State{Fashion, Fashion, Fashion, Fashion}},
		{name: "plain", want: [4]State{Fashion, Fashion, Fashion, Fashion}, change: func(t *testing.T, dir string) {
			remove(t, dir, "train-labels-idx1-ubyte.gz")
			write(t, dir, "train-labels-idx1-ubyte", f.plain[trainLabels])
		}},
		{name: "the plain file comes first", want: [4]State{Fashion, Damaged, Fashion, Fashion},
			err: "train-labels-idx1-ubyte: expected an IDX header", change: func(t *testing.T, dir string) {
				write(t, dir, "train-labels-idx1-ubyte", nil)
			}},
		{name: "other labels", want: [4]State{Fashion, Unknown, Fashion, Fashion}, change: func(t *testing.T, dir string) {
			write(t, dir, "train-labels-idx1-ubyte", encoded(WriteLabels, make([]uint8, 20)))
		}},
		{name: "too few labels", want: [4]State{Fashion, Damaged, Fashion, Fashion},
			err: "expected as many labels as", change: func(t *testing.T, dir string) {
				write(t, dir, "train-labels-idx1-ubyte", encoded(WriteLabels, make([]uint8, 19)))
			}},
		{name: "missing", want: [4]State{Fashion, Missing, Fashion, Fashion},
			err: "train-labels-idx1-ubyte: expected this file, or the same with .gz, found neither", change: func(t *testing.T, dir string) {
				remove(t, dir, "train-labels-idx1-ubyte.gz")
			}},
		{name: "a directory", want: [4]State{Fashion, Damaged, Fashion, Fashion},
			err: "train-labels-idx1-ubyte: expected a regular file", change: func(t *testing.T, dir string) {
				if err := os.Mkdir(filepath.Join(dir, "train-labels-idx1-ubyte"), 0o755); err != nil {
					t.Fatal(err)
				}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := f.dir(t)
			c.change(t, dir)
			status, _ := verify(filesOf(dir), dir, &f.known, trainImages)
			if diff := cmp.Diff(c.want, states(status)); diff != "" {
				t.Error(diff)
			}
			err := status[trainLabels].Err
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("expected the error %q, found %v", c.err, err)
			}
			if err != nil && !strings.Contains(err.Error(), dir) {
				t.Errorf("expected an error that names the directory, found %v", err)
			}
		})
	}
}

func TestVerifyTellsWhatItFound(t *testing.T) {
	f := newFixture()
	dir := f.dir(t)
	status, _ := verify(filesOf(dir), dir, &f.known, trainImages)
	want := FileStatus{
		Name:    "t10k-labels-idx1-ubyte",
		Path:    filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"),
		Size:    int64(len(compress(f.plain[testLabels]))),
		Records: 10,
		SHA256:  f.known[testLabels].fashion,
		State:   Fashion,
	}
	if status[testLabels].State.String() != "Fashion-MNIST" {
		t.Errorf("expected a state to print as its name, found %v", status[testLabels].State)
	}
	if diff := cmp.Diff(want, status[testLabels]); diff != "" {
		t.Error(diff)
	}
	// The real hashes aren't those of the fixture.
	if diff := cmp.Diff([4]State{Unknown, Unknown, Unknown, Unknown}, states(Verify(dir))); diff != "" {
		t.Error(diff)
	}
}

func TestKnownFiles(t *testing.T) {
	for _, c := range []struct {
		file int
		size int64
	}{{trainImages, 47_040_016}, {trainLabels, 60_008}, {testImages, 7_840_016}, {testLabels, 10_008}} {
		f := fashionMNIST[c.file]
		if f.size() != c.size || len(f.fashion) != 64 || len(f.digits) != 64 || f.fashion == f.digits {
			t.Errorf("%s: expected %d bytes and two hashes, found %d, %s, %s", f.name, c.size, f.size(), f.fashion, f.digits)
		}
	}
}
