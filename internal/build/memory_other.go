//go:build !linux

package build

import "io/fs"

// available is not known here.
func available(fs.FS) (int64, bool) { return 0, false }
