// Package goldentest reads the reference values of testdata/golden for the tests of the packages in internal.
package goldentest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Read reads each of the files testdata/golden/KIND*.json into a T. The keys are the files' names. The test fails if there is no
// such file, or if one can't be read.
func Read[T any](t *testing.T, kind string) map[string]T {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/golden/" + kind + "*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no testdata/golden/%s*.json: %v", kind, err)
	}
	files := map[string]T{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file T
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		files[filepath.Base(path)] = file
	}
	return files
}
