//go:build !amd64 || purego

package kernel

var available = []string{Generic}
