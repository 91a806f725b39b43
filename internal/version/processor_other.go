//go:build !linux && !darwin

package version

import "os"

// processor is known only on Windows.
func processor() string { return os.Getenv("PROCESSOR_IDENTIFIER") }
