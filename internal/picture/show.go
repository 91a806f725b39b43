package picture

import (
	"fmt"
	"strings"

	"fmtrain/internal/dataset"
)

// Depth is what a terminal can show of grey.
type Depth uint8

// The depths.
const (
	Shades  Depth = iota // no colours: characters from a space to @
	Palette              // the 24 greys of 256 colours
	Full                 // 24-bit colours
)

// DepthOf is the depth of a terminal: color says whether to write colours at all, and env is normally os.Getenv.
func DepthOf(color bool, env func(string) string) Depth {
	kind := env("TERM")
	switch {
	case !color:
		return Shades
	case env("COLORTERM") == "truecolor" || env("COLORTERM") == "24bit":
		return Full
	case kind == "linux" || kind == "ansi" || strings.HasPrefix(kind, "vt"): // 16 colours or fewer
		return Shades
	}
	return Palette
}

// The size of an image in a terminal, in characters.
const (
	ShownWidth  = dataset.Cols
	ShownHeight = dataset.Rows / 2
)

// Lines is an image as ShownHeight lines of ShownWidth characters: half blocks, whose colour is the upper pixel and whose background is the
// lower one, or without colours characters for the mean of the two.
func Lines(pixels []uint8, depth Depth) []string {
	lines := make([]string, 0, ShownHeight)
	for y := 0; y < dataset.Rows; y += 2 {
		upper, lower := pixels[y*dataset.Cols:(y+1)*dataset.Cols], pixels[(y+1)*dataset.Cols:(y+2)*dataset.Cols]
		var b strings.Builder
		last := ""
		for x := range upper {
			if depth == Shades {
				b.WriteByte(shade((int(upper[x]) + int(lower[x])) / 2))
				continue
			}
			if style := "\x1b[38;" + depth.grey(upper[x]) + ";48;" + depth.grey(lower[x]) + "m"; style != last {
				b.WriteString(style)
				last = style
			}
			b.WriteRune('▀')
		}
		if depth != Shades {
			b.WriteString("\x1b[0m")
		}
		lines = append(lines, b.String())
	}
	return lines
}

// grey is the parameters of a grey colour.
func (d Depth) grey(v uint8) string {
	if d == Full {
		return fmt.Sprintf("2;%d;%d;%d", v, v, v)
	}
	color := 232 + (int(v)-3)/10 // 232 is grey 8, 255 is grey 238
	switch {
	case v < 4:
		color = 16 // black
	case v > 246:
		color = 231 // white
	}
	return fmt.Sprintf("5;%d", min(color, 255))
}

// shade is the character of a grey: the lighter, the more of it is filled.
func shade(v int) byte {
	const shades = " .:-=+*#%@"
	return shades[v*len(shades)/256]
}
