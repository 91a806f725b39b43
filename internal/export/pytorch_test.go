package export

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layernorm"
)

// TestPyTorch runs the loader of docs/export.md on an exported default network, and compares the logits.
func TestPyTorch(t *testing.T) {
	python := "/usr/bin/python3" // Debian's, which has its PyTorch
	var environment []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OPENBLAS_") {
			environment = append(environment, v)
		}
	}
	try := exec.Command(python, "-c", "import torch")
	try.Env = environment
	if err := try.Run(); err != nil {
		t.Skip(python + " has no PyTorch, so the loader of docs/export.md is not tested")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "export.md"))
	if err != nil {
		t.Fatal(err)
	}
	loader := regexp.MustCompile("(?s)```python\n(import json[^`]*)```").FindSubmatch(page)
	if loader == nil {
		t.Fatal("docs/export.md has no loader")
	}
	const images = 100
	s, dir := network{"100-ln-relu-10", layernorm.Book}.source(t), t.TempDir()
	if err := Write(dir, files(t, "safetensors", s), false); err != nil {
		t.Fatal(err)
	}
	script := string(loader[1]) + `
import sys
images = torch.frombuffer(bytearray(sys.stdin.buffer.read()), dtype=torch.uint8).reshape(-1, 784)
sys.stdout.buffer.write(logits(*load("model.safetensors"), images).numpy().tobytes())
`
	cmd := exec.Command(python, "-c", script)
	cmd.Dir, cmd.Env = dir, environment
	cmd.Stdin = bytes.NewReader(sample().Images[:images*dataset.Pixels])
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &problems)
	}
	found := make([]float32, len(out)/4)
	if _, err := binary.Decode(out, binary.LittleEndian, found); err != nil || len(found) != images*dataset.Classes {
		t.Fatalf("expected %d logits, found %d: %v", images*dataset.Classes, len(found), err)
	}
	sameLogits(t, logitsOf(t, s.Model, s.Weights, images), func(i int) float64 { return float64(found[i]) }, 1e-5)
}
