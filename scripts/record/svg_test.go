package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

func TestSpans(t *testing.T) {
	screen := vt.NewEmulator(40, rows)
	io.WriteString(screen, "old\r\x1b[J\x1b[2mloss\x1b[0m 0.5 of  1\x1b[32m best\x1b[0m\r\n\x1b[1m  ε→1\x1b[0m\r\n")
	s := &session{screen: screen}
	want := [][]span{
		{
			{0, "loss", style{faint: true}},
			{5, "0.5 of", style{}},
			{13, "1", style{}},
			{15, "best", style{color: ansi.Green, colored: true}},
		},
		{{2, "ε→1", style{bold: true}}},
	}
	if found := s.lines(); !slices.EqualFunc(found, want, slices.Equal) {
		t.Errorf("expected %v, found %v", want, found)
	}
}

func TestDrawIsXML(t *testing.T) {
	picture := draw([][]span{{{0, "a < b & c", style{bold: true}}}}, 20, themes[0], `the "title" <of> it`)
	for d := xml.NewDecoder(strings.NewReader(string(picture))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, picture)
		}
	}
	if !strings.Contains(string(picture), `textLength="75.6" font-weight="bold">a &lt; b &amp; c</text>`) {
		t.Errorf("expected the line in bold, found\n%s", picture)
	}
}

func TestRecordStops(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	bin := t.TempDir()
	loop := "#!" + sh + "\ni=0; while :; do i=$((i+1)); printf 'step %d\\r' $i; sleep 0.01; done\n"
	if err := os.WriteFile(filepath.Join(bin, "loop"), []byte(loop), 0o755); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(bin, "picture")
	if err := record(out, bin, 20, regexp.MustCompile("step 5"), "steps", []string{"loop"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"-light.svg", "-dark.svg"} {
		picture, err := os.ReadFile(out + name)
		if err != nil || !strings.Contains(string(picture), ">step 5") {
			t.Errorf("%s: expected step 5, found %v\n%s", name, err, picture)
		}
	}
}
