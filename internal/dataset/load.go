package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// DirVariable is the environment variable that names the data directory.
const DirVariable = "FMTRAIN_DATA"

// Options says where to look for the data, and how to download it.
type Options struct {
	// Dir is the directory that the user named, or [SampleName], or empty; EnvDir is what [DirVariable] holds. What is named here
	// must be right: nothing else is tried.
	Dir, EnvDir string
	// CacheDir is the directory that downloads go to, empty if there is none; SystemDir is that of the distribution's
	// package. They are used if they hold the four files.
	CacheDir, SystemDir string
	// Mirrors are addresses that begin with https:// and end with /, tried in this order.
	Mirrors []string
	Client  *http.Client
	// AnswerTimeout is how long a download waits for the first answer to its request for a file, over all mirrors together, in
	// each of the two rounds in which they are tried; StallTimeout, how long it then waits for the next bytes.
	AnswerTimeout, StallTimeout time.Duration
	// Progress, if not nil, is told how many bytes of a file have arrived; total is -1 if the mirror didn't say. It starts
	// again from 0 when the next mirror is tried, or the same again.
	Progress func(name string, done, total int64)

	// TestOnly says that the training files are not wanted, whose decompression takes most of the time. They must be there all
	// the same where directories are searched.
	TestOnly bool

	known *catalogue // nil for Fashion-MNIST
}

func (o Options) catalogue() *catalogue { return cmp.Or(o.known, &fashionMNIST) }

// DefaultOptions looks in $FMTRAIN_DATA, the user's cache directory and where Debian's package dataset-fashion-mnist puts
// the files, and downloads from Keras's mirror and the two of the data set's authors.
func DefaultOptions() Options {
	o := Options{
		EnvDir:    os.Getenv(DirVariable),
		SystemDir: "/usr/share/datasets/fashion-mnist",
		Mirrors: []string{
			"https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
			"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
			"https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
		},
		Client:        http.DefaultClient,
		AnswerTimeout: 5 * time.Second,
		StallTimeout:  15 * time.Second,
	}
	if cache, err := os.UserCacheDir(); err == nil {
		o.CacheDir = filepath.Join(cache, "fmtrain", "fashion-mnist")
	}
	return o
}

// Kind is which data set it is.
type Kind uint8

// The kinds of data: the real set, the embedded part of it, or another set of the same form.
const (
	FashionMNIST Kind = iota
	Sample
	Other
)

func (k Kind) String() string {
	return [...]string{"Fashion-MNIST", "Fashion-MNIST sample", "other"}[k]
}

// Data is a data set in memory.
type Data struct {
	Train, Test *Set   // Train may be nil with [Options.TestOnly]
	Origin      string // its directory, or [SampleName]: what leads [Load] to it again
	Kind        Kind
	Warnings    []string // what the user must know of it, a sentence or two each

	// TrainSHA256 is the SHA-256, in hexadecimal, of the decompressed files of Train by their names.
	TrainSHA256 map[string]string
}

// Absolute is a data directory by its absolute path, for a run to be repeated from anywhere. [SampleName] stays as it is.
func Absolute(dir string) (string, error) {
	if dir == SampleName {
		return dir, nil
	}
	return filepath.Abs(dir)
}

// Find is the directory that the options lead to without a download: o.Dir, o.EnvDir, or the first of o.CacheDir and
// o.SystemDir that holds the four files; empty if there is none.
func Find(o Options) string {
	for _, dir := range []string{o.Dir, o.EnvDir} {
		if dir != "" {
			return dir
		}
	}
	for _, dir := range []string{o.CacheDir, o.SystemDir} {
		if dir != "" && o.catalogue().complete(dir) {
			return dir
		}
	}
	return ""
}

// complete tells whether all four files exist.
func (c *catalogue) complete(dir string) bool {
	for _, f := range c {
		if !exists(filepath.Join(dir, f.name)) && !exists(filepath.Join(dir, f.name+".gz")) {
			return false
		}
	}
	return true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Load reads the data from the first of these places that has it: o.Dir, o.EnvDir, o.CacheDir, o.SystemDir, a mirror (by way
// of o.CacheDir), the sample embedded in the program. The error names the directory or file, if one that the user named
// doesn't hold four readable files; otherwise there is one only if ctx is done. Data that is well-formed but isn't
// Fashion-MNIST is used, with a warning.
func Load(ctx context.Context, o Options) (*Data, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Dir != "" {
		return o.open(o.Dir)
	}
	if o.EnvDir != "" {
		data, err := o.open(o.EnvDir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", DirVariable, err)
		}
		return data, nil
	}

	var warnings []string
	for _, dir := range []string{o.CacheDir, o.SystemDir} {
		if dir == "" || !o.catalogue().complete(dir) {
			continue
		}
		data, err := o.open(dir)
		if err == nil {
			data.Warnings = append(warnings, data.Warnings...)
			return data, nil
		}
		warnings = append(warnings, fmt.Sprintf("passed over: %v", err))
	}

	data, err := download(ctx, o)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		warnings = append(warnings, fmt.Sprintf("Fashion-MNIST wasn't found, and couldn't be downloaded: %v", err))
		data, err = openSample()
	}
	if err != nil {
		return nil, err
	}
	data.Warnings = append(warnings, data.Warnings...)
	return data, nil
}

func download(ctx context.Context, o Options) (*Data, error) {
	if o.CacheDir == "" {
		return nil, errors.New("there is no user cache directory (is HOME set?)")
	}
	if err := Fetch(ctx, o, o.CacheDir); err != nil {
		return nil, err
	}
	return o.open(o.CacheDir)
}

// open reads a directory that must hold the data, or the embedded sample.
func (o Options) open(dir string) (*Data, error) {
	if dir == SampleName {
		return openSample()
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("data directory %s: expected a directory, found a file", dir)
	}
	first := trainImages
	if o.TestOnly {
		first = testImages
	}
	data, status, err := read(os.DirFS(dir), dir, o.catalogue(), first)
	if err != nil {
		return nil, err
	}
	data.Origin = dir
	data.Kind, data.Warnings = identify(dir, status)
	return data, nil
}

// read makes the sets of the readable files from the first one on. If files are missing the error names them all; else it is
// that of the first damaged one.
func read(fsys fs.FS, dir string, c *catalogue, first int) (*Data, []FileStatus, error) {
	all, bodies := verify(fsys, dir, c, first)
	status := all[first:]
	var missing []string
	for _, s := range status {
		if s.State == Missing {
			missing = append(missing, s.Name)
		}
	}
	if len(missing) > 0 {
		return nil, status, fmt.Errorf("data directory %s: expected the four files of Fashion-MNIST, each as it is or with .gz, "+
			"found no %s (fmtrain data fetch --data %s downloads them)", dir, strings.Join(missing, ", no "), dir)
	}
	for _, s := range status {
		if s.Err != nil {
			return nil, status, s.Err
		}
	}
	data := &Data{Test: &Set{Images: bodies[testImages], Labels: bodies[testLabels]}}
	if first == trainImages {
		data.Train = &Set{Images: bodies[trainImages], Labels: bodies[trainLabels]}
		data.TrainSHA256 = map[string]string{}
		for _, s := range all[trainImages:testImages] {
			data.TrainSHA256[s.Name] = s.SHA256
		}
	}
	return data, status, nil
}

// identify tells from the files' hashes which data set it is.
func identify(dir string, status []FileStatus) (Kind, []string) {
	var strange []string
	digits := 0
	for _, s := range status {
		if s.State != Fashion {
			strange = append(strange, s.Name)
		}
		if s.State == Digits {
			digits++
		}
	}
	switch {
	case len(strange) == 0:
		return FashionMNIST, nil
	case digits == len(status):
		return Other, []string{fmt.Sprintf("the data in %s is the MNIST digits, not Fashion-MNIST: it is used as it is, "+
			"but the class names don't fit it", dir)}
	}
	return Other, []string{fmt.Sprintf("the data in %s is not Fashion-MNIST (other bytes in %s): it is used as it is, "+
		"but results can't be compared", dir, strings.Join(strange, ", "))}
}
