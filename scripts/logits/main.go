// Logits writes the logits of a checkpoint for the test images as float32, little-endian, one row of ten after the other. Checks of
// exports compare with them.
//
//	go run ./scripts/logits CHECKPOINT DATA > FILE
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"

	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/run"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("expected a checkpoint and a data directory, found %d arguments", len(os.Args)-1))
	}
	fail(write(os.Args[1], os.Args[2]))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "logits:", err)
		os.Exit(1)
	}
}

func write(checkpoint, dir string) error {
	saved, err := run.Load(checkpoint)
	if err != nil {
		return err
	}
	options := dataset.DefaultOptions()
	options.Dir, options.TestOnly = dir, true
	data, err := dataset.Load(context.Background(), options)
	if err != nil {
		return err
	}
	e, err := loop.NewEvaluator(saved.Model, saved.Weights, data.Test)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	e.Each = func(_, _, _ int32, logits []float32) {
		_ = binary.Write(out, binary.LittleEndian, logits) // Flush returns its error
	}
	if _, err := e.Evaluate(); err != nil {
		return err
	}
	return out.Flush()
}
