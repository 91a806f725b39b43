package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"fmtrain/internal/dataset"
	"fmtrain/internal/picture"
	"fmtrain/internal/predict"
	"fmtrain/internal/table"
)

// red is the style of what is wrong.
const red = "31"

// panel shows one picture beside the probabilities of its classes.
type panel struct {
	out  io.Writer
	path string // of the checkpoint
}

func (l *panel) close() error { return nil }

func (l *panel) write(p *prediction) error {
	say(l.out, "%s\n\n", printable(l.path))
	color, width := colorOn(l.out), helpWidth(l.out)
	shown := picture.Lines(p.pixels, picture.DepthOf(color, os.Getenv))
	const gap, least = "  ", 26 // of the text beside the picture
	if width < picture.ShownWidth+len(gap)+least {
		for _, line := range append(append(shown, ""), p.lines(width, color)...) {
			fmt.Fprintln(l.out, line)
		}
	} else {
		for i, text := range p.lines(width-picture.ShownWidth-len(gap), color) {
			fmt.Fprintln(l.out, strings.TrimRight(shown[i]+gap+text, " "))
		}
	}
	remarks := p.remarks()
	if len(remarks) > 0 {
		fmt.Fprintln(l.out)
	}
	for _, remark := range remarks {
		say(l.out, "%s\n", remark)
	}
	return nil
}

// lines are the text beside the picture, as many lines as the picture has: its name, what it is, and a bar for each class, the most
// likely first.
func (p *prediction) lines(width int, color bool) []string {
	styled := func(text, style string) string { return string(table.AppendStyled(nil, text, style, color)) }
	lines := []string{ending(printable(p.Image), width), styled(p.Prediction+"  "+chance(p.best()), table.Bold), "", ""}
	switch p.Label {
	case "":
	case p.Prediction:
		lines[2] = styled("right: labelled "+p.Label, table.Green)
	default:
		lines[2] = styled("wrong: labelled "+p.Label, red)
	}
	const name, number = 12, 8
	longest := max(1, min(width-name-number, 30))
	for place, k := range p.ranking {
		style := table.Dim
		switch place {
		case 0:
			style = table.Green
		case 1, 2:
			style = ""
		}
		text := fmt.Sprintf("%-*s%-*s%*s", name, dataset.ClassNames[k],
			longest, bar(float64(p.Probabilities[k]), longest), number, chance(p.Probabilities[k]))
		lines = append(lines, styled(text, style))
	}
	return lines
}

// bar is a bar of a fraction of the width, exact to an eighth of a character.
func bar(fraction float64, width int) string {
	eighths := int(fraction*float64(width)*8 + 0.5)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return text
}

// ending is the end of a name that is wider than the width.
func ending(name string, width int) string {
	if utf8.RuneCountInString(name) <= width {
		return name
	}
	runes := []rune(name)
	return "…" + string(runes[len(runes)-width+1:])
}

// remarks say what was done to the picture, and why the prediction is in doubt.
func (p *prediction) remarks() (remarks []string) {
	if f := p.picture; f != nil {
		steps := "taken as it is"
		if len(f.Steps) > 0 {
			steps = strings.Join(f.Steps, ", ")
		}
		remarks = append(remarks, fmt.Sprintf("%dx%d %s: %s", f.Width, f.Height, f.Format, steps))
	}
	switch {
	case p.blank():
		remarks = append(remarks, "The picture has one colour all over: there is nothing to classify.")
	case p.busy():
		remarks = append(remarks, "Unusual: the background has many colours. The training images show one thing on a plain background.")
	case p.Unusual:
		remarks = append(remarks, fmt.Sprintf(
			"Unusual: the picture is unlike the training images. Its distance from them is %.2f; 99 %% of images like them have at most 1.", *p.Distance))
	}
	if p.Unsure {
		remarks = append(remarks, fmt.Sprintf("Unsure: no class has a probability of %.0f %% or more.", 100*predict.Unsure))
	}
	return remarks
}
