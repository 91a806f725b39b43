package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// server is a mirror of a fixture over TLS.
type server struct {
	*httptest.Server
	requests atomic.Int64
}

// mirror serves the fixture's files, compressed.
func (f *fixture) mirror(t *testing.T) *server {
	return serve(t, f.handler())
}

func (f *fixture) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i, known := range f.known {
			if r.URL.Path == "/"+known.name+".gz" {
				packed := compress(f.plain[i])
				w.Header().Set("Content-Length", fmt.Sprint(len(packed)))
				w.Write(packed)
				return
			}
		}
		http.NotFound(w, r)
	})
}

func serve(t *testing.T, h http.Handler) *server {
	s := &server{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// configure makes the server the only mirror.
func (s *server) configure(o *Options) {
	o.Mirrors, o.Client = []string{s.URL + "/"}, s.Client()
	o.AnswerTimeout, o.StallTimeout = time.Minute, time.Minute
}

func (f *fixture) fetch(ctx context.Context, dir string, mirrors ...*server) error {
	o := Options{known: &f.known}
	mirrors[0].configure(&o)
	o.Mirrors = nil
	for _, m := range mirrors {
		o.Mirrors = append(o.Mirrors, m.URL+"/")
	}
	return Fetch(ctx, o, dir)
}

func TestFetch(t *testing.T) {
	f := newFixture()
	mirror := f.mirror(t)
	dir := filepath.Join(t.TempDir(), "new", "directory")
	o := Options{known: &f.known}
	mirror.configure(&o)
	last := map[string][2]int64{}
	o.Progress = func(name string, done, total int64) {
		if done <= last[name][0] {
			t.Errorf("%s: expected progress beyond %d bytes, found %d", name, last[name][0], done)
		}
		last[name] = [2]int64{done, total}
	}
	if err := Fetch(t.Context(), o, dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packedNames, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	for i, known := range f.known {
		found, err := os.ReadFile(filepath.Join(dir, known.name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(compress(f.plain[i]), found); diff != "" {
			t.Errorf("%s: %s", known.name, diff)
		}
		if size := int64(len(found)); last[known.name+".gz"] != [2]int64{size, size} {
			t.Errorf("%s: expected progress up to %d bytes, found %v", known.name, size, last[known.name+".gz"])
		}
	}

	before := mirror.requests.Load()
	if err := Fetch(t.Context(), o, dir); err != nil || mirror.requests.Load() != before {
		t.Errorf("expected nothing more to download, found %d requests, %v", mirror.requests.Load()-before, err)
	}
}

// If a mirror fails in any way, the next is tried and no file is left behind. The error mentions the mirror if no other one succeeds.
func TestFetchBadMirrors(t *testing.T) {
	f := newFixture()
	good := f.mirror(t)
	insecure := httptest.NewServer(f.handler())
	t.Cleanup(insecure.Close)
	answer := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	// A gzip bomb is decompressed and hashed only until it is too long.
	sumOfStart := fmt.Sprintf("%x", sha256.Sum256(make([]byte, f.known[trainImages].size()+1)))
	other := encoded(WriteImages, make([]uint8, 20*Pixels))
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"not found", status(404), "404 Not Found"},
		{"forbidden", status(403), "403 Forbidden"},
		{"unavailable", status(503), "503 Service Unavailable"},
		{"too many requests", status(429), "429 Too Many Requests"},
		{"no content", status(204), "204 No Content"},
		{"empty", answer(nil), `expected gzip data, found ""`},
		{"web page", answer([]byte("<!DOCTYPE html><title>Log in</title>")), `expected gzip data, found "<!DOCTYPE html><"`},
		{"plain", answer(f.plain[trainImages]), "expected gzip data"},
		{"other bytes", answer(compress(other)), "expected the SHA-256 " + f.known[trainImages].fashion},
		{"one byte more", answer(compress(join(f.plain[trainImages], []byte{0}))), "expected the SHA-256"},
		{"cut", answer(compress(f.plain[trainImages])[:300]), "damaged gzip data: unexpected EOF"},
		{"a bomb", answer(compress(make([]byte, 4<<20))), "found " + sumOfStart},
		{"bytes after it", answer(join(compress(f.plain[trainImages]), []byte("more"))), "damaged gzip data"},
		{"two files", answer(bytes.Repeat(compress(f.plain[trainImages]), 2)), "expected the SHA-256"},
		{"too short a length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "300")
			w.Write(compress(f.plain[trainImages])[:300])
		}, "damaged gzip data: unexpected EOF"},
		{"too large a length", func(w http.ResponseWriter, _ *http.Request) {
			packed := compress(f.plain[trainImages])
			w.Header().Set("Content-Length", fmt.Sprint(len(packed)+1))
			w.Write(packed)
		}, "unexpected EOF"},
		{"endless headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 11<<20))
		}, "response headers exceeded"},
		{"connection lost before an answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		{"no http", func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(connection, "220 mail.test ESMTP\r\n")
				connection.Close()
			}
		}, "malformed HTTP"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write(make([]byte, 1<<16))
			}
		}, "expected at most"},
		{"connection lost", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte("half"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "unexpected EOF"},
		{"redirect to http", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, insecure.URL+r.URL.Path, http.StatusFound)
		}, "expected an https address, found " + insecure.URL},
		{"redirect in a circle", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, "more than 10 redirects"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad := serve(t, c.handler)
			dir := t.TempDir()
			err := f.fetch(t.Context(), dir, bad)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "train-images-idx3-ubyte.gz: 127.0.0.1") {
				t.Errorf("expected an error with the file, the mirror and %q, found %v", c.want, err)
			}
			if left := names(t, dir); len(left) > 0 {
				t.Errorf("expected nothing left behind, found %q", left)
			}

			asked := bad.requests.Load()
			if err := f.fetch(t.Context(), dir, bad, good); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(packedNames, names(t, dir)); diff != "" {
				t.Error(diff)
			}
			if n := bad.requests.Load() - asked; n < 1 || n > asked {
				t.Errorf("expected the bad mirror to be asked for the first file only, 1 to %d requests, found %d", asked, n)
			}
		})
	}
}

// A mirror that is busy, or whose connection is cut, is asked again after a pause, and the download starts again. Until it
// succeeds, no file has the final name.
func TestFetchAgain(t *testing.T) {
	f := newFixture()
	for _, c := range []struct {
		name string
		fail http.HandlerFunc
	}{
		{"unavailable", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }},
		{"too many requests", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }},
		{"cut before an answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"cut in the middle", func(w http.ResponseWriter, _ *http.Request) {
			packed := compress(f.plain[trainImages])
			w.Header().Set("Content-Length", fmt.Sprint(len(packed)))
			w.Write(packed[:len(packed)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := f.handler()
			var failed atomic.Bool
			mirror := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := os.Stat(filepath.Join(dir, filepath.Base(r.URL.Path))); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("expected no file %s before it is whole, found %v", r.URL.Path, err)
				}
				if failed.CompareAndSwap(false, true) {
					c.fail(w, r)
					return
				}
				files.ServeHTTP(w, r)
			}))
			if err := f.fetch(t.Context(), dir, mirror); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(packedNames, names(t, dir)); diff != "" {
				t.Error(diff)
			}
			if n := mirror.requests.Load(); n != 5 {
				t.Errorf("expected the first file to be asked for twice, 5 requests, found %d", n)
			}
		})
	}
}

// A failed download removes the directory that it made, unless that has a complete file. It keeps a directory that existed before.
func TestFetchLeavesNoEmptyDirectory(t *testing.T) {
	f := newFixture()
	files := f.handler()
	for _, c := range []struct {
		name  string
		fails string
		left  []string
	}{
		{"the first file", "/train-images-idx3-ubyte.gz", []string{}},
		{"the second file", "/train-labels-idx1-ubyte.gz", []string{"new"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mirror := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == c.fails {
					http.NotFound(w, r)
					return
				}
				files.ServeHTTP(w, r)
			}))
			dir := t.TempDir()
			if err := f.fetch(t.Context(), filepath.Join(dir, "new", "directory"), mirror); err == nil {
				t.Error("expected an error")
			}
			if diff := cmp.Diff(c.left, names(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Without a network each mirror gets a few words.
func TestFetchOffline(t *testing.T) {
	o := DefaultOptions()
	o.Mirrors = []string{"https://a.test/", "https://b.test/"}
	o.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: r.URL.Host, Server: "10.0.0.1:53"}}
	})}
	err := Fetch(t.Context(), o, t.TempDir())
	want := "no mirror delivers train-images-idx3-ubyte.gz: a.test: lookup a.test: no such host; b.test: lookup b.test: no such host"
	if err == nil || err.Error() != want {
		t.Errorf("expected the error %q, found %v", want, err)
	}
}

func TestFetchFollowsSecureRedirects(t *testing.T) {
	f := newFixture()
	good := f.mirror(t)
	front := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, good.URL+r.URL.Path, http.StatusFound)
	}))
	if err := f.fetch(t.Context(), t.TempDir(), front); err != nil {
		t.Error(err)
	}
}

// Some mirrors declare the file's own compression as the compression of the transfer. The stored file must still be compressed.
func TestFetchStoresWhatTheMirrorHolds(t *testing.T) {
	f := newFixture()
	files := f.handler()
	mirror := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		files.ServeHTTP(w, r)
	}))
	if err := f.fetch(t.Context(), t.TempDir(), mirror); err != nil {
		t.Error(err)
	}
}

func TestFetchRefusesHTTP(t *testing.T) {
	f := newFixture()
	o := Options{Mirrors: []string{"http://mirror.test/"}, AnswerTimeout: time.Minute, known: &f.known}
	if err := Fetch(t.Context(), o, t.TempDir()); err == nil || !strings.Contains(err.Error(), "expected an https address") {
		t.Errorf("expected a refusal, found %v", err)
	}
}

// Missing and damaged files of Fashion-MNIST are downloaded. Other data is left alone.
func TestFetchIntoAFilledDirectory(t *testing.T) {
	f := newFixture()
	mirror := f.mirror(t)

	dir := f.dir(t)
	write(t, dir, "train-labels-idx1-ubyte", []byte("damaged"))
	write(t, dir, "t10k-images-idx3-ubyte.gz", []byte("damaged"))
	if err := f.fetch(t.Context(), dir, mirror); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packedNames, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	status, _ := verify(filesOf(dir), dir, &f.known, trainImages)
	if diff := cmp.Diff([4]State{Fashion, Fashion, Fashion, Fashion}, states(status)); diff != "" {
		t.Error(diff)
	}

	before := mirror.requests.Load()
	mine := encoded(WriteLabels, make([]uint8, 10))
	write(t, dir, "t10k-labels-idx1-ubyte", mine)
	remove(t, dir, "train-images-idx3-ubyte.gz")
	err := f.fetch(t.Context(), dir, mirror)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "t10k-labels-idx1-ubyte")+": expected Fashion-MNIST") {
		t.Errorf("expected an error that names the file, found %v", err)
	}
	if mirror.requests.Load() != before {
		t.Error("expected no download")
	}
	if found, err := os.ReadFile(filepath.Join(dir, "t10k-labels-idx1-ubyte")); err != nil || string(found) != string(mine) {
		t.Errorf("expected the file as it was, found %q, %v", found, err)
	}
}

func TestFetchNeedsADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{SampleName, file} {
		if err := Fetch(t.Context(), Options{}, dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: expected an error that names it, found %v", dir, err)
		}
	}
}

// roundTrip is a transport without a network, so that time-outs can be tested on synctest's clock.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// drip gives n bytes every period, until the request's context is done.
type drip struct {
	rest   []byte
	n      int
	period time.Duration
	ctx    context.Context
}

func (d *drip) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(d.period):
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
	n := copy(p, d.rest[:min(d.n, len(d.rest))])
	d.rest = d.rest[n:]
	return n, nil
}

// transport answers for the mirrors https://fast/, which delivers at once, https://slow/, with a tenth of the bytes every ten seconds,
// https://stuck/, which sends a little and then nothing, and others, which never answer.
func (f *fixture) transport() http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		packed := []byte{}
		for i, known := range f.known {
			if r.URL.Path == "/"+known.name+".gz" {
				packed = compress(f.plain[i])
			}
		}
		body := &drip{rest: packed, n: len(packed), ctx: r.Context()}
		switch r.URL.Host {
		case "fast":
		case "slow":
			body.n, body.period = len(packed)/10+1, 10*time.Second
		case "stuck":
			body.n, body.period = len(packed)/10+1, time.Hour
		default:
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return &http.Response{
			StatusCode: http.StatusOK, Status: "200 OK", ContentLength: -1, Body: io.NopCloser(body), Request: r,
		}, nil
	})
}

func TestFetchTime(t *testing.T) {
	f := newFixture()
	for _, c := range []struct {
		name    string
		mirrors string
		err     string
		least   time.Duration
		most    time.Duration
	}{
		{"fast", "fast", "", 0, 0},
		{"silent", "a b c", "a: no answer within 1.667s; b: no answer within 1.667s; c: no answer within 1.667s", 5 * time.Second, 5 * time.Second},
		{"silent at first", "a b fast", "", 5 * time.Second * 2 / 3, 5 * time.Second * 2 / 3},
		{"slow but moving", "slow", "", time.Minute, 10 * time.Minute},
		{"stuck", "stuck", "stuck: no bytes for 15s", 15 * time.Second, 15 * time.Second},
		{"stuck at first", "stuck fast", "", 15 * time.Second, 15 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				o := DefaultOptions()
				o.known, o.Client, o.Mirrors = &f.known, &http.Client{Transport: f.transport()}, nil
				for _, m := range strings.Fields(c.mirrors) {
					o.Mirrors = append(o.Mirrors, "https://"+m+"/")
				}
				start := time.Now()
				err := Fetch(t.Context(), o, dir)
				took := time.Since(start)
				if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("expected the error %q, found %v", c.err, err)
				}
				if took < c.least || took > c.most {
					t.Errorf("expected it to take %v to %v, found %v", c.least, c.most, took)
				}
			})
			want := packedNames
			if c.err != "" {
				want = []string{}
			}
			if diff := cmp.Diff(want, names(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFetchInterrupted(t *testing.T) {
	f := newFixture()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := DefaultOptions()
		o.known, o.Mirrors, o.Client = &f.known, []string{"https://slow/", "https://fast/"}, &http.Client{Transport: f.transport()}
		o.Progress = func(string, int64, int64) { cancel() }
		if err := Fetch(ctx, o, dir); !errors.Is(err, context.Canceled) {
			t.Errorf("expected %v, found %v", context.Canceled, err)
		}
	})
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("expected nothing left behind, found %q", left)
	}
}
