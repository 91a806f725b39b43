package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// file is one of the four files of a data set.
type file struct {
	name    string
	format  format
	records int64
	// The SHA-256 of the decompressed bytes: of Fashion-MNIST, and of the MNIST digits, whose files have the same names.
	// Compressed bytes differ between distributors.
	fashion, digits string
}

// size is the number of decompressed bytes of the known data set.
func (f file) size() int64 { return int64(f.format.headerSize()) + f.records*f.format.recordSize() }

// catalogue is the four files: training images and labels, test images and labels.
type catalogue [4]file

// The places of the files in a catalogue.
const (
	trainImages = iota
	trainLabels
	testImages
	testLabels
)

var fashionMNIST = catalogue{
	trainImages: {
		name: "train-images-idx3-ubyte", format: imageFormat, records: 60_000,
		fashion: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
		digits:  "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
	},
	trainLabels: {
		name: "train-labels-idx1-ubyte", format: labelFormat, records: 60_000,
		fashion: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
		digits:  "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
	},
	testImages: {
		name: "t10k-images-idx3-ubyte", format: imageFormat, records: 10_000,
		fashion: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
		digits:  "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
	},
	testLabels: {
		name: "t10k-labels-idx1-ubyte", format: labelFormat, records: 10_000,
		fashion: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
		digits:  "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
	},
}

// IsFashionMNIST says whether the SHA-256 of training files, by their names as in [Data.TrainSHA256], are those of Fashion-MNIST.
func IsFashionMNIST(trainSHA256 map[string]string) bool {
	for _, f := range fashionMNIST[trainImages:testImages] {
		if trainSHA256[f.name] != f.fashion {
			return false
		}
	}
	return true
}

// State is what is known about a file.
type State uint8

// The states of a file. Except for Missing and Damaged, a file is well-formed and can be trained on.
const (
	Missing State = iota
	Damaged
	Fashion
	Digits
	Unknown
	Embedded // in the embedded sample, intact
)

func (s State) String() string {
	return [...]string{"missing", "damaged", "Fashion-MNIST", "MNIST digits, not Fashion-MNIST", "not Fashion-MNIST", "embedded sample, intact"}[s]
}

// FileStatus describes the file under one of the four names.
type FileStatus struct {
	Name    string // without directory or .gz
	Path    string // of the file found, or of the plain one if both are missing
	Size    int64  // in bytes, as stored
	Records int    // images or labels; 0 if the file is missing or damaged
	SHA256  string // of the decompressed bytes, in hexadecimal; empty if the file is missing or damaged
	State   State
	Err     error // why the file is missing or damaged
}

// Verify reads the four files of a directory to their ends and reports the state of each. If dir is [SampleName], it reads the
// embedded sample. If images and labels differ in number, the labels count as damaged.
func Verify(dir string) [4]FileStatus {
	status, _ := verify(filesOf(dir), dir, &fashionMNIST, trainImages)
	for i := range status {
		if dir == SampleName && status[i].Err == nil {
			status[i].State = Embedded
		}
	}
	return status
}

// filesOf is a directory as a file system.
func filesOf(dir string) fs.FS {
	if dir == SampleName {
		return sample
	}
	return os.DirFS(dir)
}

// verify reads the files from the first one on, which is a file of images.
func verify(fsys fs.FS, dir string, c *catalogue, first int) (status [4]FileStatus, bodies [4][]uint8) {
	status, bodies = readFiles(fsys, dir, c, first)
	for i := first; i < len(status); i += 2 {
		images, labels := status[i], &status[i+1]
		if images.Err == nil && labels.Err == nil && images.Records != labels.Records {
			labels.State = Damaged
			labels.Err = fmt.Errorf("%s: expected as many labels as %s has images, %d, found %d",
				labels.Path, images.Path, images.Records, labels.Records)
		}
	}
	return status, bodies
}

// readFiles reads the files from the first one on, all at the same time, because decompressing takes long. A body is nil if the
// status has an error.
func readFiles(fsys fs.FS, dir string, c *catalogue, first int) (status [4]FileStatus, bodies [4][]uint8) {
	var wg sync.WaitGroup
	for i := first; i < len(c); i++ {
		wg.Go(func() { status[i], bodies[i] = c[i].read(fsys, dir) })
	}
	wg.Wait()
	return status, bodies
}

// read finds the file, plain or else with .gz after its name, and reads it.
func (f file) read(fsys fs.FS, dir string) (FileStatus, []uint8) {
	status := FileStatus{Name: f.name, Path: filepath.Join(dir, f.name)}
	name := f.name
	info, err := fs.Stat(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		name += ".gz"
		info, err = fs.Stat(fsys, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		status.Err = fmt.Errorf("%s: expected this file, or the same with .gz, found neither", status.Path)
		return status, nil
	}
	status.Path, status.State = filepath.Join(dir, name), Damaged
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("expected a regular file")
	}
	if err != nil {
		status.Err = fmt.Errorf("%s: %w", status.Path, err)
		return status, nil
	}
	status.Size = info.Size()
	r, err := fsys.Open(name)
	if err != nil {
		status.Err = err
		return status, nil
	}
	defer r.Close()
	sum := newDigest()
	body, err := readIDX(r, status.Path, f.format, status.Size, sum.add)
	found := sum.finish()
	if err != nil {
		status.Err = err
		return status, nil
	}
	status.Records = len(body) / int(f.format.recordSize())
	status.SHA256 = found
	switch status.SHA256 {
	case f.fashion:
		status.State = Fashion
	case f.digits:
		status.State = Digits
	default:
		status.State = Unknown
	}
	return status, body
}
