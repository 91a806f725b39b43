package progress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/loop"
)

// Of a file of lines those stay that were written by then, whole.
func TestDropBeyond(t *testing.T) {
	const all = `{"event":"start","epochs":3}
{"event":"iteration","epoch":1,"iteration":1}
{"event":"iteration","epoch":1,"iteration":2}
{"event":"epoch","epoch":1,"iterations":2}
{"event":"iteration","epoch":2,"iteration":1}
{"event":"iteration","epoch":2,"iteration":2}
{"event":"epoch","epoch":2,"iterations":2}
{"event":"done","epochs":2}
`
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	for _, test := range []struct {
		at    loop.Progress
		lines int // that stay
		end   string
	}{
		{loop.Progress{}, 1, ""},
		{loop.Progress{Iteration: 1}, 2, ""},
		{loop.Progress{Epoch: 1}, 4, ""},
		{loop.Progress{Epoch: 1, Iteration: 1}, 5, `{"event":"iter`},
		{loop.Progress{Epoch: 2}, 7, "\x00\x00\n"},
		{loop.Progress{Epoch: 5}, 7, `{"event":"else"}` + "\n"},
	} {
		if err := os.WriteFile(path, []byte(all+test.end), 0o644); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is nothing to drop
			if err := DropBeyond(path, test.at); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Join(strings.SplitAfter(all, "\n")[:test.lines], "")
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", test.at, diff)
			}
		}
	}
}
