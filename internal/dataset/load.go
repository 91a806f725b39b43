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
	// Dir is the directory that the user named, or [SampleName], or empty. EnvDir is the value of [DirVariable]. If one is set,
	// no other place is tried.
	Dir, EnvDir string
	// CacheDir is the directory for downloads, empty if there is none. SystemDir is where the distribution's package puts the
	// files. Each is used if it holds the four files.
	CacheDir, SystemDir string
	// Mirrors are addresses that begin with https:// and end with /. They are tried in this order.
	Mirrors []string
	Client  *http.Client
	// AnswerTimeout is how long a download waits for an answer to its request for a file, over all mirrors together. Mirrors are
	// tried in two rounds, and each round has this time. StallTimeout is how long it then waits for the next bytes.
	AnswerTimeout, StallTimeout time.Duration
	// Progress, if not nil, is called with the number of bytes of a file that have arrived. total is -1 if the mirror didn't
	// say. Each new attempt starts from 0.
	Progress func(name string, done, total int64)

	// TestOnly leaves out the training files, which take most of the time to decompress. A directory that is found by searching
	// must have them all the same.
	TestOnly bool

	known *catalogue // nil for Fashion-MNIST
}

func (o Options) catalogue() *catalogue { return cmp.Or(o.known, &fashionMNIST) }

// DefaultOptions looks in $FMTRAIN_DATA, in the user's cache directory, and where Debian's package dataset-fashion-mnist puts the
// files. It downloads from Keras's mirror and from two mirrors of the data set's authors.
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

// Kind says which data set it is.
type Kind uint8

// The kinds of data: the real set, its embedded part, or another set in the same format.
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
	Origin      string // its directory, or [SampleName]; as Options.Dir it leads to the same data
	Kind        Kind
	Warnings    []string // what the user must know about it, a sentence or two each

	// TrainSHA256 is the SHA-256, in hexadecimal, of the decompressed files of Train by their names.
	TrainSHA256 map[string]string
}

// Absolute makes a data directory's path absolute, so that a run can be repeated from anywhere. [SampleName] stays as it is.
func Absolute(dir string) (string, error) {
	if dir == SampleName {
		return dir, nil
	}
	return filepath.Abs(dir)
}

// Find returns the directory that the options lead to without a download: o.Dir, o.EnvDir, or the first of o.CacheDir and
// o.SystemDir that holds the four files. It is empty if there is none.
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

// complete says whether all four files exist.
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

// Load reads the data from the first of these places that has it: o.Dir, o.EnvDir, o.CacheDir, o.SystemDir, a mirror (it downloads
// to o.CacheDir), the sample embedded in the program. It fails if a directory that the user named doesn't hold four readable
// files, and names what is wrong; otherwise only if ctx is done. Well-formed data that isn't Fashion-MNIST is used, with a
// warning.
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
		warnings = append(warnings, fmt.Sprintf("skipped: %v", err))
	}

	data, err := download(ctx, o)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		warnings = append(warnings, fmt.Sprintf("Fashion-MNIST was not found and couldn't be downloaded: %v", err))
		warnings = append(warnings, "this is the embedded sample, a tenth of Fashion-MNIST: results differ from the full set")
		data, err = openSample() // a user who names the sample needs no warning
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

// ErrNotFound means that a named directory does not exist.
var ErrNotFound = errors.New("found nothing of this name")

// open reads a directory that must hold the data, or the embedded sample.
func (o Options) open(dir string) (*Data, error) {
	if dir == SampleName {
		return openSample()
	}
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data directory %s: expected a directory, %w", dir, ErrNotFound)
	} else if err != nil {
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

// read makes the sets from the files, from the first one on. If files are missing, the error names them all. Otherwise it is the
// first damaged file's error.
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
		return nil, status, fmt.Errorf("data directory %s: expected the four files of Fashion-MNIST, each plain or with .gz, "+
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

// identify recognises the data set by the files' hashes.
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
