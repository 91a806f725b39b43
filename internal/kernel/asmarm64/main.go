// Command asmarm64 writes the assembly of package kernel for arm64, and the Go declarations of its functions, to the working
// directory. The go:generate line of package kernel runs it there.
//
// avo, which the assembly for amd64 is generated with, knows amd64 alone. What is needed here is so little that it is written
// out: a writer of functions (function.go), the encodings of the instructions that Go's assembler lacks (encode.go), and the
// kernels (matmul.go, peak.go, update.go).
package main

import (
	"fmt"
	"os"
)

// groups are the kernels by the file that they are written to.
var groups = map[string]func(*file){
	"matmul": matmul,
	"peak":   peak,
	"update": update,
}

func main() {
	for name, group := range groups {
		f := newFile()
		group(f)
		if err := f.write(name); err != nil {
			fmt.Fprintln(os.Stderr, "asmarm64:", err)
			os.Exit(1)
		}
	}
}
