// Command asmarm64 writes the assembly of package kernel for arm64, and the Go declarations of its functions, to the working
// directory. The go:generate line of package kernel runs it there.
//
// avo, which generates the assembly for amd64, supports only amd64. Little is needed here, so this program has its own writer of
// functions (function.go). encode.go has the encodings of the instructions that Go's assembler lacks; matmul.go, peak.go and
// update.go have the kernels.
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
