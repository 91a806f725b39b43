package export

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
)

// goMain prints the logits and the probabilities of the images on stdin.
const goMain = `package main

import (
	"encoding/binary"
	"io"
	"os"

	"fashionmnist"
)

func main() {
	images, _ := io.ReadAll(os.Stdin)
	for ; len(images) > 0; images = images[784:] {
		binary.Write(os.Stdout, binary.LittleEndian, fashionmnist.Logits(images[:784]))
		binary.Write(os.Stdout, binary.LittleEndian, fashionmnist.Predict(images[:784]))
	}
}
`

// TestGoPackage compiles and vets the packages, and compares what they compute with fmtrain.
func TestGoPackage(t *testing.T) {
	const images = 200
	for _, n := range networks {
		t.Run(n.layers, func(t *testing.T) {
			t.Parallel()
			s, dir := n.source(t), t.TempDir()
			if err := Write(dir, files(t, "go", s), false); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "show"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "show", "main.go"), []byte(goMain), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"go", "vet", "./..."}, {"gofmt", "-l", "."}, {"go", "build", "-o", "bin", "./show"}} {
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
			}
			show := exec.Command(filepath.Join(dir, "bin"))
			show.Stdin = bytes.NewReader(sample().Images[:images*dataset.Pixels])
			out, err := show.Output()
			if err != nil {
				t.Fatal(err)
			}
			found := make([]float32, len(out)/4)
			if _, err := binary.Decode(out, binary.LittleEndian, found); err != nil {
				t.Fatal(err)
			}
			if len(found) != images*20 {
				t.Fatalf("expected %d numbers, found %d", images*20, len(found))
			}
			expected := logitsOf(t, s.Model, s.Weights, images)
			sameLogits(t, expected, func(i int) float64 { return float64(found[i/10*20+i%10]) }, 1e-5)
			p, work := make([]float32, 10), make([]float64, 10)
			for row := range images {
				kernel.CrossEntropyRow(p, work, expected[row*10:(row+1)*10], 0)
				for k, want := range p {
					if got := found[row*20+10+k]; math.Abs(float64(got-want)) > 1e-5 {
						t.Fatalf("image %d, class %d: expected the probability %g, found %g", row, k, want, got)
					}
				}
				if kernel.ArgMax(p) != kernel.ArgMax(found[row*20+10:row*20+20]) {
					t.Fatalf("image %d: another prediction", row)
				}
			}
		})
	}
}
