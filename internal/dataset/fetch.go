package dataset

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxOverhead is how much larger than its content a compressed file may be.
const maxOverhead = 1 << 20

// Fetch downloads Fashion-MNIST's four files into dir, which it makes if necessary. It skips the files that are there, and keeps
// the mirrors' compression. A damaged file is replaced. If a file is well-formed but isn't Fashion-MNIST's, Fetch fails before
// it downloads anything.
//
// Each file is written under a temporary name, checked against the known SHA-256 of its decompressed bytes, and synced. Only
// then it gets its name. So an interrupted Fetch leaves whole files, and the next one continues from there. If Fetch fails, it
// removes the directories that it made, as far as they are empty. The error says what went wrong with each mirror.
func Fetch(ctx context.Context, o Options, dir string) (err error) {
	if dir == SampleName {
		return fmt.Errorf("expected a directory to download into, found %q, the name of the embedded sample", dir)
	}
	made := missing(dir)
	defer func() {
		if err != nil {
			removeEmpty(made)
		}
	}()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	present, _ := readFiles(os.DirFS(dir), dir, o.catalogue(), trainImages)
	for _, s := range present {
		if s.State == Digits || s.State == Unknown {
			return fmt.Errorf("%s: expected Fashion-MNIST or no file, found another data set: move it away, or download into "+
				"another directory", s.Path)
		}
	}
	d := newDownloader(o, dir)
	for i, f := range o.catalogue() {
		if present[i].State == Fashion {
			continue
		}
		if err := d.fetch(ctx, f); err != nil {
			return err
		}
		if plain := filepath.Join(dir, f.name); present[i].Path == plain && present[i].State == Damaged {
			if err := os.Remove(plain); err != nil {
				return fmt.Errorf("removing the damaged file beside the new one: %w", err)
			}
		}
	}
	return nil
}

// missing lists dir and its parents, as far as they don't exist.
func missing(dir string) (dirs []string) {
	for dir = filepath.Clean(dir); !exists(dir) && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}

// removeEmpty removes directories as far as they are empty. Each is in the next.
func removeEmpty(dirs []string) {
	for _, dir := range dirs {
		if os.Remove(dir) != nil && exists(dir) {
			return
		}
	}
}

type downloader struct {
	Options
	dir    string
	client http.Client
}

func newDownloader(o Options, dir string) *downloader {
	d := &downloader{Options: o, dir: dir, client: *cmp.Or(o.Client, http.DefaultClient)}
	d.Mirrors = append([]string(nil), o.Mirrors...)
	d.client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("more than 10 redirects")
		}
		return secure(req.URL)
	}
	return d
}

func secure(u *url.URL) error {
	if u.Scheme != "https" {
		return fmt.Errorf("expected an https address, found %s", u)
	}
	return nil
}

// pause is the time between the two rounds of a download.
const pause = time.Second

// fetch tries the mirrors in turn. After a pause it tries those again whose failure may have passed. The mirror that has the file
// comes first for the next file.
//
// The time to wait for an answer is divided equally among the mirrors not yet tried in a round. So a mirror that never answers
// leaves enough time for the others, and one that fails at once leaves all of its share.
func (d *downloader) fetch(ctx context.Context, f file) error {
	failures := make([]error, len(d.Mirrors))
	for round := range 2 {
		if round > 0 {
			if !slices.ContainsFunc(failures, mayPass) {
				break
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
		left := d.AnswerTimeout
		for i, mirror := range d.Mirrors {
			if round > 0 && !mayPass(failures[i]) {
				continue
			}
			waited, err := d.fetchFrom(ctx, mirror+f.name+".gz", f, left/time.Duration(len(d.Mirrors)-i))
			if err == nil {
				d.Mirrors[0], d.Mirrors[i] = d.Mirrors[i], d.Mirrors[0]
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			left -= waited
			failures[i] = err
		}
	}
	var texts []string
	for i, err := range failures {
		texts = append(texts, fmt.Sprintf("%s: %v", host(d.Mirrors[i]), err))
	}
	return fmt.Errorf("no mirror delivers %s.gz: %s", f.name, cmp.Or(strings.Join(texts, "; "), "there are no mirrors"))
}

// mayPass says whether a failed download may soon succeed: the server was busy, or the connection was cut.
func mayPass(err error) bool {
	if status, ok := errors.AsType[statusError](err); ok {
		return status.code >= 500 || status.code == http.StatusTooManyRequests
	}
	connection, ok := errors.AsType[*net.OpError](err)
	return ok && connection.Op == "read" || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// statusError is an answer that is not 200 OK.
type statusError struct {
	code int
	text string
}

func (e statusError) Error() string { return e.text }

func host(mirror string) string {
	u, err := url.Parse(mirror)
	if err != nil || u.Host == "" {
		return mirror
	}
	return u.Host
}

// fetchFrom downloads, verifies and names one file. It also returns the time until the mirror answered.
func (d *downloader) fetchFrom(ctx context.Context, address string, f file,
	timeout time.Duration) (waited time.Duration, err error) {
	name := f.name + ".gz"
	tmp, err := os.CreateTemp(d.dir, name+".*.part")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if waited, err = d.transfer(ctx, address, tmp, name, f.size()+maxOverhead, timeout); err != nil {
		return waited, err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return waited, err
	}
	if err := f.check(tmp); err != nil {
		return waited, err
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return waited, err
	}
	return waited, os.Rename(tmp.Name(), filepath.Join(d.dir, name))
}

// transfer writes the answer's body, at most limit bytes of it, to dst.
func (d *downloader) transfer(ctx context.Context, address string, dst io.Writer, name string, limit int64,
	timeout time.Duration) (waited time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	if err := secure(req.URL); err != nil {
		return 0, err
	}
	// With this header neither the server nor the client undoes the gzip compression.
	req.Header.Set("Accept-Encoding", "gzip")

	start := time.Now()
	unanswered := time.AfterFunc(timeout, func() { cancel(fmt.Errorf("no answer within %v", timeout.Round(time.Millisecond))) })
	resp, err := d.client.Do(req)
	unanswered.Stop()
	waited = time.Since(start)
	if err != nil {
		return waited, reason(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return waited, statusError{resp.StatusCode, resp.Status}
	}

	stalled := time.AfterFunc(d.StallTimeout, func() { cancel(fmt.Errorf("no bytes for %v", d.StallTimeout)) })
	defer stalled.Stop()
	body := &meter{r: io.LimitReader(resp.Body, limit+1), each: func(done int64) {
		stalled.Reset(d.StallTimeout)
		if d.Progress != nil {
			d.Progress(name, done, resp.ContentLength)
		}
	}}
	n, err := io.Copy(dst, body)
	switch {
	case err != nil:
		return waited, reason(ctx, err)
	case n > limit:
		return waited, fmt.Errorf("expected at most %d bytes, found more", limit)
	}
	return waited, nil
}

// reason is why a request failed: the time-out if there was one, otherwise the error without addresses.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return &net.DNSError{Err: lookup.Err, Name: lookup.Name}
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err
	}
	return err
}

// meter calls each after every read with the bytes so far.
type meter struct {
	r    io.Reader
	done int64
	each func(done int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if n > 0 {
		m.done += int64(n)
		m.each(m.done)
	}
	return n, err
}

// check is an error unless r is the file, compressed. It decompresses at most one byte more than the file has.
func (f file) check(r io.ReadSeeker) error {
	start := make([]byte, 16)
	n, err := io.ReadFull(r, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	if start = start[:n]; !bytes.HasPrefix(start, gzipMark) {
		return fmt.Errorf("expected gzip data, found %q", start)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	plain, err := decompress(r)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(plain, f.size()+1)); err != nil {
		return fmt.Errorf("damaged gzip data: %w", err)
	}
	if found := hex.EncodeToString(sum.Sum(nil)); found != f.fashion {
		return fmt.Errorf("expected the SHA-256 %s of the decompressed bytes, found %s", f.fashion, found)
	}
	return nil
}
