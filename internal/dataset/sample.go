package dataset

import (
	"embed"
	"io/fs"
)

//go:generate go run ./makesample -data /usr/share/datasets/fashion-mnist -out sample

// SampleName names the embedded sample instead of a data directory. (./sample is a directory with that name.)
const SampleName = "sample"

// The sample holds the first SampleTrain/Classes training images and the first SampleTest/Classes test images of each class
// of Fashion-MNIST, in the order of the full set.
const (
	SampleTrain = 6_000
	SampleTest  = 1_000
)

//go:embed sample
var embedded embed.FS

// sample is the directory of the embedded files. An error could only mean an invalid path.
var sample, _ = fs.Sub(embedded, "sample")

func openSample() (*Data, error) {
	data, _, err := read(sample, SampleName, &fashionMNIST, trainImages)
	if err != nil {
		return nil, err
	}
	data.Origin, data.Kind = SampleName, Sample
	return data, nil
}
