package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Complete lines up to the checkpoint stay; other lines are dropped.
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
		at    Progress
		lines int // that stay
		end   string
	}{
		{Progress{}, 1, ""},
		{Progress{Iteration: 1}, 2, ""},
		{Progress{Epoch: 1}, 4, ""},
		{Progress{Epoch: 1, Iteration: 1}, 5, `{"event":"iter`},
		{Progress{Epoch: 2}, 7, "\x00\x00\n"},
		{Progress{Epoch: 5}, 7, `{"event":"else"}` + "\n"},
		{Progress{Epoch: 5}, 7, `{"event":"start",` + strings.Repeat(" ", 3*longestLine) + "}\n"},
		{Progress{Epoch: 5}, 7, strings.Repeat(" ", 2*longestLine) + `{"event":"start"}` + "\n"},
	} {
		if err := os.WriteFile(path, []byte(all+test.end), 0o644); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is nothing to drop
			if err := dropBeyond(path, test.at); err != nil {
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

// A line that is too long is left out, and the lines after it are not.
func TestDropALongLine(t *testing.T) {
	const before, after = `{"event":"start"}` + "\n", `{"event":"epoch","epoch":1}` + "\n"
	for _, length := range []int{longestLine - 1, longestLine, longestLine + 1, 2 * longestLine, 3*longestLine + 5} {
		var kept strings.Builder
		if _, err := copyKept(&kept, strings.NewReader(before+strings.Repeat(" ", length)+"\n"+after), Progress{Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		if kept.String() != before+after {
			t.Errorf("after a line of %d bytes: %q", length, kept.String())
		}
	}
}

// FuzzDropBeyond drops lines of any file: the lines that stay are complete lines of the file, in their order, none later than the
// checkpoint. Dropping again changes nothing.
func FuzzDropBeyond(f *testing.F) {
	f.Add(`{"event":"start"}`+"\n"+`{"event":"iteration","epoch":1,"iteration":1}`+"\n"+`{"event":"done"}`+"\n", 0, 1)
	f.Add("\x00\n\n"+`{"event":"epoch","epoch":1e99}`+"\n"+`{"event":"epoch","Epoch":2}`+"\n"+`{"event":`, 3, 0)
	kept := func(t *testing.T, content string, p Progress) string {
		var left strings.Builder
		n, err := copyKept(&left, strings.NewReader(content), p)
		if err != nil || n != int64(left.Len()) {
			t.Fatalf("%d bytes of %d, and %v", n, left.Len(), err)
		}
		return left.String()
	}
	f.Fuzz(func(t *testing.T, content string, epoch, iteration int) {
		p := Progress{Epoch: epoch, Iteration: iteration}
		left := kept(t, content, p)
		before := strings.SplitAfter(content, "\n")
		for line := range strings.Lines(left) {
			at := slices.Index(before, line)
			if at < 0 || !stays([]byte(line), p) {
				t.Fatalf("%q stays", line)
			}
			before = before[at+1:]
		}
		if again := kept(t, left, p); again != left {
			t.Errorf("again: %q after %q", again, left)
		}
	})
}
