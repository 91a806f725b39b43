package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const images = "train-images-idx3-ubyte.gz"

// fetch reports three files in chunks of 32 KiB, one each 10 ms. One file has an unknown length, and one starts twice.
func fetch(d *Download, then func()) {
	now := time.Unix(0, 0)
	d.now = func() time.Time { return now }
	file := func(name string, length, stop, total int64) {
		for done := int64(0); ; done = min(done+32768, length) {
			d.Update(name, done, total)
			then()
			if done >= stop {
				d.Update(name, done, total)
				return
			}
			now = now.Add(10 * time.Millisecond)
		}
	}
	file(images, 26421880, 1<<20, 26421880)
	file(images, 26421880, 26421880, 26421880)
	file("train-labels-idx1-ubyte.gz", 29515, 29515, 29515)
	file("unknown", 100000, 100000, -1)
	d.Clear()
}

const fetched = `train-images-idx3-ubyte.gz  26.4 MB  8.07 s
train-labels-idx1-ubyte.gz  29.5 kB  0.01 s
`

func TestDownloadOnTerminal(t *testing.T) {
	for _, columns := range []int{1, 2, 3, 4, 5, 10, 15, 20, 32, 40, 48, 60, 68, 80, 81, 90, 100, 200} {
		e := newEmulator(t, columns)
		var updates int
		fetch(NewDownload(Terminal{Writer: e, Width: e.width, Color: true}), func() {
			if updates++; e.widest > columns-1 && !strings.Contains(e.screen(), "8.07 s") {
				t.Fatalf("%d of %d columns: %q", e.widest, columns, e.screen())
			}
		})
		if got := e.screen() + "\n"; columns > 50 && got != fetched {
			t.Errorf("%d columns, at the end: %q", columns, got)
		}
		if most := 9*10 + 10; e.writes > most {
			t.Errorf("%d writes in 9 s for %d updates, at most %d expected", e.writes, updates, most)
		}
	}
}

func TestDownloadFrames(t *testing.T) {
	for columns, want := range map[int]string{
		100: "train-images-idx3-ubyte.gz  49%  [==========>            ]  13.1 MB of 26.4 MB  6.5 MB/s  0:03 left",
		70:  "train-images-idx3-ubyte.gz 49% [=======>         ] 13.1 MB of 26.4 MB",
		50:  "train-images-idx3-ubyte.gz 49% [======>         ]",
		20:  "49% [=====>       ]",
		5:   "49%",
	} {
		e := newEmulator(t, columns)
		d := NewDownload(Terminal{Writer: e, Width: e.width})
		now := time.Unix(0, 0)
		d.now = func() time.Time { return now }
		d.Update(images, 0, 26421880)
		now = now.Add(2 * time.Second)
		d.Update(images, 13100000, 26421880)
		if got := e.screen(); got != want {
			t.Errorf("%d columns:\n got %q\nwant %q", columns, got, want)
		}
	}
}

func TestDownloadOnPipe(t *testing.T) {
	var got bytes.Buffer
	fetch(NewDownload(Terminal{Writer: &got}), func() {})
	if diff := cmp.Diff(fetched, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
