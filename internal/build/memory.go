package build

import (
	"fmt"
	"os"
)

// MemoryError is the error for a run that needs more memory than there is. Without it the system would kill the process without a
// word.
type MemoryError struct{ Need, Available int64 }

func (m *MemoryError) Error() string {
	return fmt.Sprintf("training needs about %s of memory, and %s is available; lower --batch-size or the layers' widths (--hidden, --channels, --layers)",
		size(m.Need), size(m.Available))
}

// checkMemory compares what training needs with what the machine has. Where that is not known it allows everything.
func checkMemory(need int64) error {
	if available, ok := available(os.DirFS("/")); ok && need > available {
		return &MemoryError{need, available}
	}
	return nil
}

// size is a number of bytes for a person.
func size(bytes int64) string {
	if bytes < 1<<30 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}
