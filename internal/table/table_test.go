package table

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var shoes = []Column{
	{Heading: "name", Left: true, Keep: 3},
	{Heading: "size", Keep: 1},
	{Heading: "price\nin €", Keep: 2},
	{Keep: 1, Left: true},
}

var shoeRows = [][]string{
	{"Sandal", "41", "39.90", "new"},
	{"Ankle boot", "7", "129", ""},
	{"", "48", "168.90", "in all"},
}

func TestWrite(t *testing.T) {
	if all := Fit(shoes, 0); len(all) != len(shoes) {
		t.Errorf("without a width there are %d columns, expected all", len(all))
	}
	for width, want := range map[int]string{
		80: `
                   price
name        size    in €
Sandal        41   39.90  new
Ankle boot     7     129
              48  168.90  in all
`,
		31: `
             price
name          in €
Sandal       39.90  new
Ankle boot     129
            168.90  in all
`,
		18: `
             price
name          in €
Sandal       39.90
Ankle boot     129
            168.90
`,
		3: `
name
Sandal
Ankle boot

`,
	} {
		var got bytes.Buffer
		if err := Write(&got, width, false, shoes, shoeRows); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[1:], got.String()); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", width, diff)
		}
	}
}

// A table is never too wide, and shows the columns that there is room for.
func TestFit(t *testing.T) {
	columns := []Column{{Width: 3, Keep: 9}, {Width: 4, Keep: 1}, {Width: 5, Keep: 5}, {Width: 2, Keep: 7}}
	for width := 1; width < 40; width++ {
		var kept []string
		used := -gap
		for _, i := range Fit(columns, width) {
			kept = append(kept, string(rune('a'+i)))
			used += columns[i].Width + gap
		}
		if used > width && len(kept) > 1 {
			t.Errorf("%d columns are used of %d", used, width)
		}
		want := "abcd"
		switch {
		case width < 7:
			want = "a"
		case width < 14:
			want = "ad"
		case width < 20:
			want = "acd"
		}
		if got := strings.Join(kept, ""); got != want {
			t.Errorf("width %d: columns %s, expected %s", width, got, want)
		}
	}
}

func TestRowStyles(t *testing.T) {
	columns := []Column{{Heading: "a", Width: 3}, {Heading: "b", Left: true, Width: 3}, {}}
	cells := []Cell{{"1", Bold}, {"2", ""}, {"", Green}}
	const plain, styled = "  1  2\n", "  \x1b[1m1\x1b[0m  2\n"
	if got := string(AppendRow(nil, columns, []int{0, 1, 2}, cells, false)); got != plain {
		t.Errorf("got %q, expected %q", got, plain)
	}
	if got := string(AppendRow(nil, columns, []int{0, 1, 2}, cells, true)); got != styled {
		t.Errorf("got %q, expected %q", got, styled)
	}
}

func TestWrap(t *testing.T) {
	const text = "one two three\n  four five-and-more six"
	for width, want := range map[int]string{
		0:  text,
		80: text,
		13: "one two three\n  four\n_five-and-more\n_six",
		12: "one two\n_three\n  four\n_five-and-more\n_six",
		9:  "one two\n_three\n  four\n_five-and-more\n_six",
		4:  "one\n_two\n_three\n  four\n_five-and-more\n_six",
	} {
		if diff := cmp.Diff(want, Wrap(text, width, "_")); diff != "" {
			t.Errorf("width %d (-want +got):\n%s", width, diff)
		}
	}
	if got := Wrap("ääää öö", 4, "  "); got != "ääää\n  öö" {
		t.Errorf("bytes are counted, not characters: %q", got)
	}
}

// Texts of a column with Cut are cut only if they have to be, and get all the room that is left.
func TestCutColumn(t *testing.T) {
	columns := []Column{{Heading: "a", Left: true, Keep: 3}, {Heading: "b", Keep: 1}, {Heading: "c", Left: true, Keep: 2, Cut: 5}}
	rows := [][]string{{"one", "22", "a longer text"}, {"two", "3", "short"}}
	for width, want := range map[int]string{
		0:  "a     b  c\none  22  a longer text\ntwo   3  short\n",
		22: "a     b  c\none  22  a longer text\ntwo   3  short\n",
		21: "a     b  c\none  22  a longer te…\ntwo   3  short\n",
		14: "a     b  c\none  22  a lo…\ntwo   3  short\n",
		13: "a    c\none  a longe…\ntwo  short\n",
		9:  "a\none\ntwo\n",
	} {
		var b strings.Builder
		if err := Write(&b, width, false, columns, rows); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%d: expected %q, found %q", width, want, b.String())
		}
	}
}
