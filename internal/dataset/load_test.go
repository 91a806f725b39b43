package dataset

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The places are tried in the documented order: with all of them filled the first is taken, then without it the second, and
// so on to the mirror and the sample.
func TestLoadOrder(t *testing.T) {
	f := newFixture()
	mirror := f.mirror(t)
	named, env, cache, system := f.dir(t), f.dir(t), f.dir(t), f.dir(t)
	o := Options{Dir: named, EnvDir: env, CacheDir: cache, SystemDir: system, known: &f.known}
	mirror.configure(&o)

	expect := func(origin string, kind Kind) {
		t.Helper()
		data, err := Load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if data.Origin != origin || data.Kind != kind {
			t.Errorf("expected %v from %s, found %v from %s", kind, origin, data.Kind, data.Origin)
		}
		if kind == FashionMNIST {
			if diff := cmp.Diff(&Data{ramp(20), ramp(10), origin, kind, nil, f.trainSHA256()}, data); diff != "" {
				t.Error(diff)
			}
		}
	}
	found := func(dir string) {
		t.Helper()
		if got := Find(o); got != dir {
			t.Errorf("expected Find to give %q, found %q", dir, got)
		}
	}

	found(named)
	expect(named, FashionMNIST)
	o.Dir = ""
	found(env)
	expect(env, FashionMNIST)
	o.EnvDir = ""
	found(cache)
	expect(cache, FashionMNIST)
	remove(t, cache, "t10k-labels-idx1-ubyte.gz")
	found(system)
	expect(system, FashionMNIST)
	remove(t, system, "t10k-labels-idx1-ubyte.gz")
	found("")
	if mirror.requests.Load() != 0 {
		t.Fatal("expected no download while there is data")
	}
	expect(cache, FashionMNIST)
	if n := mirror.requests.Load(); n != 1 {
		t.Errorf("expected the one missing file to be downloaded, found %d requests", n)
	}
	remove(t, cache, "t10k-labels-idx1-ubyte.gz")
	o.Mirrors = nil
	expect(SampleName, Sample)
	o.EnvDir = SampleName
	found(SampleName)
	expect(SampleName, Sample)
}

// A directory that the user named is used or refused, never skipped.
func TestLoadRefusesWhatWasNamed(t *testing.T) {
	f := newFixture()
	good := f.dir(t)
	incomplete := f.dir(t)
	remove(t, incomplete, "t10k-labels-idx1-ubyte.gz")
	remove(t, incomplete, "train-images-idx3-ubyte.gz")
	damaged := f.dir(t)
	write(t, damaged, "t10k-labels-idx1-ubyte.gz", []byte("not found"))
	for _, c := range []struct {
		name, dir string
		want      []string
	}{
		{"nowhere", filepath.Join(good, "none"), []string{"none", "expected a directory, found nothing of this name"}},
		{"a file", filepath.Join(good, "t10k-labels-idx1-ubyte.gz"), []string{"expected a directory, found a file"}},
		{"incomplete", incomplete, []string{incomplete, "no train-images-idx3-ubyte, no t10k-labels-idx1-ubyte", "data fetch"}},
		{"damaged", damaged, []string{filepath.Join(damaged, "t10k-labels-idx1-ubyte.gz"), "magic number 2049"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, o := range []Options{
				{Dir: c.dir, EnvDir: good, CacheDir: good, known: &f.known},
				{EnvDir: c.dir, CacheDir: good, known: &f.known},
			} {
				_, err := Load(t.Context(), o)
				if err == nil {
					t.Fatal("expected an error")
				}
				want := c.want
				if o.Dir == "" {
					want = append(want, "FMTRAIN_DATA")
				}
				for _, part := range want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("expected an error with %q, found %v", part, err)
					}
				}
			}
		})
	}
}

// With a damaged cache, the system's files are used, with a warning.
func TestLoadPassesOverDamage(t *testing.T) {
	f := newFixture()
	cache, system := f.dir(t), f.dir(t)
	write(t, cache, "train-labels-idx1-ubyte.gz", []byte("damage"))
	data, err := Load(t.Context(), Options{CacheDir: cache, SystemDir: system, known: &f.known})
	if err != nil {
		t.Fatal(err)
	}
	if data.Origin != system {
		t.Errorf("expected the data of %s, found that of %s", system, data.Origin)
	}
	if len(data.Warnings) != 1 || !strings.Contains(data.Warnings[0], filepath.Join(cache, "train-labels-idx1-ubyte.gz")) {
		t.Errorf("expected a warning that names the damaged file, found %q", data.Warnings)
	}
}

func TestLoadFallsBackWithAWarning(t *testing.T) {
	data, err := Load(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(data.Warnings, "\n")
	for _, part := range []string{"couldn't be downloaded: there is no user cache directory", "embedded sample", "results differ from the full set"} {
		if !strings.Contains(all, part) {
			t.Errorf("expected a warning with %q, found %q", part, data.Warnings)
		}
	}
}

// Other data in the same format can be trained on, with a warning.
func TestLoadOtherData(t *testing.T) {
	f := newFixture()
	dir := f.dir(t)

	swapped := f.known
	swapped[testLabels].fashion = "other"
	mixed := f.known
	mixed[trainLabels].fashion, mixed[trainLabels].digits = "other", f.known[trainLabels].fashion
	digits := f.known
	for i := range digits {
		digits[i].fashion, digits[i].digits = "other", f.known[i].fashion
	}
	for _, c := range []struct {
		name  string
		known *catalogue
		want  string
	}{
		{"one other file", &swapped, "is not Fashion-MNIST (other bytes in t10k-labels-idx1-ubyte)"},
		{"one file of digits", &mixed, "is not Fashion-MNIST (other bytes in train-labels-idx1-ubyte)"},
		{"digits", &digits, "is the MNIST digits, not Fashion-MNIST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := Load(t.Context(), Options{Dir: dir, known: c.known})
			if err != nil {
				t.Fatal(err)
			}
			if data.Kind != Other || data.Train.Len() != 20 || data.Test.Len() != 10 {
				t.Errorf("expected other data of 20 and 10 images, found %v of %d and %d", data.Kind, data.Train.Len(), data.Test.Len())
			}
			if len(data.Warnings) != 1 || !strings.Contains(data.Warnings[0], c.want) || !strings.Contains(data.Warnings[0], dir) {
				t.Errorf("expected a warning with %q and the directory, found %q", c.want, data.Warnings)
			}
		})
	}
}

// An interrupted Load returns an error; it does not fall back to the sample.
func TestLoadInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		cancel()
		return nil, errors.New("connection lost")
	})}
	o := Options{CacheDir: t.TempDir(), Mirrors: []string{"https://mirror.test/"}, Client: client}
	if _, err := Load(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("expected %v, found %v", context.Canceled, err)
	}
	if _, err := Load(ctx, Options{Dir: SampleName}); !errors.Is(err, context.Canceled) {
		t.Errorf("expected %v, found %v", context.Canceled, err)
	}
}

func TestDefaultOptions(t *testing.T) {
	t.Setenv(DirVariable, "somewhere")
	t.Setenv("XDG_CACHE_HOME", "/cache")
	t.Setenv("HOME", "/home/user")
	o := DefaultOptions()
	if o.EnvDir != "somewhere" || filepath.Base(o.CacheDir) != "fashion-mnist" {
		t.Errorf("expected the directories of the environment, found %q, %q", o.EnvDir, o.CacheDir)
	}
	if len(o.Mirrors) < 2 {
		t.Errorf("expected several mirrors, found %q", o.Mirrors)
	}
	for _, m := range o.Mirrors {
		if !strings.HasPrefix(m, "https://") || !strings.HasSuffix(m, "/") {
			t.Errorf("expected an address from https:// to /, found %q", m)
		}
	}
}

// The embedded sample is a tenth of Fashion-MNIST with the same compression, so it is decompressed at the same rate.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		data, err := openSample()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(data.Train.Images) + len(data.Test.Images)))
	}
}

// With TestOnly the training files are not read, even if they are damaged. The test set is the same.
func TestLoadTestOnly(t *testing.T) {
	f := newFixture()
	dir := f.dir(t)
	whole, err := Load(t.Context(), Options{Dir: dir, known: &f.known})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, f.known[trainImages].name, []byte("damaged"))
	if _, err := Load(t.Context(), Options{Dir: dir, known: &f.known}); err == nil {
		t.Error("expected the damaged training images to be refused")
	}
	data, err := Load(t.Context(), Options{Dir: dir, known: &f.known, TestOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if data.Train != nil || data.Kind != FashionMNIST || !bytes.Equal(data.Test.Images, whole.Test.Images) || !bytes.Equal(data.Test.Labels, whole.Test.Labels) {
		t.Errorf("expected only the test set, as in the full data, found %v with a training set %v", data.Kind, data.Train != nil)
	}
}
