package run

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"fmtrain/internal/atomicfile"
)

// EvaluationPath is the file of the last evaluation on a split: test, validation or train. Those with test-time augmentation are kept apart,
// as test-tta and so on.
func (d Dir) EvaluationPath(split string) string { return d.path("eval-" + split + ".json") }

// WriteEvaluation replaces the evaluation on a split by a JSON object. It needs no lock: the training never writes this file.
func (d Dir) WriteEvaluation(split string, object any) error {
	return atomicfile.Write(d.EvaluationPath(split), 0o644, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(object)
	})
}

// ReadEvaluation reads the evaluation on a split into a value. Without one the error is [fs.ErrNotExist].
func (d Dir) ReadEvaluation(split string, value any) error {
	path := d.EvaluationPath(split)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
