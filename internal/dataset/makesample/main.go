// Makesample makes the sample of Fashion-MNIST that is embedded in fmtrain from the four real files:
//
//	go run ./makesample -data DIR -out sample
//
// It takes the same number of images of each class, the first ones, in the order of the files. The same Go version writes the same
// bytes.
package main

import (
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fmtrain/internal/dataset"
)

func main() {
	data := flag.String("data", "", "directory of the four files of Fashion-MNIST")
	out := flag.String("out", "sample", "directory to write the sample's files to")
	flag.Parse()
	if err := run(*data, *out); err != nil {
		fmt.Fprintln(os.Stderr, "makesample:", err)
		os.Exit(1)
	}
}

func run(data, out string) error {
	if data == "" || data == dataset.SampleName {
		return errors.New("expected the directory of Fashion-MNIST after -data")
	}
	full, err := dataset.Load(context.Background(), dataset.Options{Dir: data})
	if err != nil {
		return err
	}
	if full.Kind != dataset.FashionMNIST {
		return fmt.Errorf("%s: expected Fashion-MNIST, found another data set", data)
	}
	for _, part := range []struct {
		name string
		from *dataset.Set
		size int
	}{
		{"train", full.Train, dataset.SampleTrain},
		{"t10k", full.Test, dataset.SampleTest},
	} {
		set, err := balanced(part.from, part.size/dataset.Classes)
		if err != nil {
			return fmt.Errorf("%s images: %w", part.name, err)
		}
		err = errors.Join(
			write(filepath.Join(out, part.name+"-images-idx3-ubyte.gz"), set.Images, dataset.WriteImages),
			write(filepath.Join(out, part.name+"-labels-idx1-ubyte.gz"), set.Labels, dataset.WriteLabels),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// balanced is the first perClass images of each class, in the order of s.
func balanced(s *dataset.Set, perClass int) (*dataset.Set, error) {
	taken := &dataset.Set{}
	var count [dataset.Classes]int
	for i, label := range s.Labels {
		if count[label] < perClass {
			count[label]++
			one := s.Slice(i, i+1)
			taken.Images = append(taken.Images, one.Images...)
			taken.Labels = append(taken.Labels, label)
		}
	}
	for label, n := range count {
		if n < perClass {
			return nil, fmt.Errorf("expected at least %d of class %d, found %d", perClass, label, n)
		}
	}
	return taken, nil
}

// write compresses body, as encode writes it, with a header without time or name.
func write(path string, body []uint8, encode func(io.Writer, []uint8) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(encode(z, body), z.Close(), f.Close())
}
