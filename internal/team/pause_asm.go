//go:build amd64 || arm64

package team

// pause tells the processor that the goroutine is spinning: it saves power, and leaves the core to its other thread.
//
//go:noescape
func pause()
