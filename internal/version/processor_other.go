//go:build !linux && !darwin

package version

import "os"

// processor is known on Windows alone.
func processor() string { return os.Getenv("PROCESSOR_IDENTIFIER") }
