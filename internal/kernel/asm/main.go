// Command asm writes the assembly of package kernel, one group of kernels at a time: asm -out FILE -stubs FILE -pkg kernel
// GROUP. The go:generate lines of package kernel run it. It has a module of its own, so that fmtrain does not depend on avo.
package main

import (
	"flag"
	"fmt"
	"os"

	. "github.com/mmcloughlin/avo/build"
)

// groups are the kernels by the file that they are written to.
var groups = map[string]func(){
	"activation":   activation,
	"conv":         conv,
	"cpu":          cpu,
	"crossentropy": crossEntropy,
	"layernorm":    layernorm,
	"matmul":       matmul,
	"memory":       memory,
	"peak":         peak,
	"pixels":       pixels,
	"pool":         pool,
	"rows":         rows,
	"update":       update,
}

func main() {
	flag.Parse()
	group := groups[flag.Arg(0)]
	if group == nil {
		fmt.Fprintf(os.Stderr, "asm: expected a group of kernels after the flags, found %q\n", flag.Arg(0))
		os.Exit(2)
	}
	ConstraintExpr("amd64,!purego")
	group()
	Generate()
}
