package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// fixture is a small data set of 20 training and 10 test images: the plain bytes of its four files, and a catalogue in
// which it is Fashion-MNIST.
type fixture struct {
	known catalogue
	plain [4][]byte
}

func newFixture() *fixture {
	train, test := ramp(20), ramp(10)
	f := &fixture{known: fashionMNIST, plain: [4][]byte{
		trainImages: encoded(WriteImages, train.Images),
		trainLabels: encoded(WriteLabels, train.Labels),
		testImages:  encoded(WriteImages, test.Images),
		testLabels:  encoded(WriteLabels, test.Labels),
	}}
	for i, plain := range f.plain {
		sum := sha256.Sum256(plain)
		f.known[i].fashion = hex.EncodeToString(sum[:])
		f.known[i].records = int64(len(plain)-f.known[i].format.headerSize()) / f.known[i].format.recordSize()
	}
	return f
}

// dir is a new directory with the four files, compressed.
func (f *fixture) dir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i, plain := range f.plain {
		write(t, dir, f.known[i].name+".gz", compress(plain))
	}
	return dir
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// names are the files of a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// packedNames are the names of the four files as downloaded, in the order of a directory.
var packedNames = []string{
	"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
}

// trainSHA256 is what a checkpoint keeps of the training files.
func (f *fixture) trainSHA256() map[string]string {
	return map[string]string{
		"train-images-idx3-ubyte": f.known[trainImages].fashion,
		"train-labels-idx1-ubyte": f.known[trainLabels].fashion,
	}
}
