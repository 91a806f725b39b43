//go:build !amd64 && !arm64

package team

// pause does nothing: there is no instruction for it here.
func pause() {}
