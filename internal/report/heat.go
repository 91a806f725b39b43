package report

import (
	"fmt"
	"math"
	"strings"
)

// heats is the number of colours of a scale of the confusion matrix.
const heats = 12

// heatLevel is the colour of a fraction from 0 to 1; 0 is no colour.
func heatLevel(x float64) int {
	return 1 + min(heats-1, int(math.Round(max(0, x)*(heats-1))))
}

// rgb is a colour of sRGB, from 0 to 255.
type rgb [3]float64

func (c rgb) css() string {
	return fmt.Sprintf("#%02x%02x%02x", int(c[0]+0.5), int(c[1]+0.5), int(c[2]+0.5))
}

// luminance is the relative luminance of WCAG 2.
func (c rgb) luminance() (y float64) {
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := c[i] / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		y += float64(weight * v)
	}
	return y
}

// contrast is the contrast ratio of WCAG 2, from 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// ink is the text's colour on a colour: black or white, whichever has more contrast, which is always above 4.5.
func (c rgb) ink() rgb {
	black, white := rgb{}, rgb{255, 255, 255}
	if contrast(c, black) > contrast(c, white) {
		return black
	}
	return white
}

// heatScales are the scales of the confusion matrix: of right and of wrong predictions, in each scheme from the colour of the page to
// the strongest.
var heatScales = []struct {
	class    string
	from, to [2]rgb // light, dark
}{
	{"right", [2]rgb{{236, 243, 250}, {24, 36, 52}}, [2]rgb{{11, 94, 163}, {86, 168, 240}}},
	{"wrong", [2]rgb{{253, 242, 231}, {46, 34, 24}}, [2]rgb{{186, 74, 0}, {245, 146, 62}}},
}

// heatStyle is the style of the cells' colours in both schemes.
func heatStyle() string {
	var b strings.Builder
	for scheme, media := range []string{"", "@media screen and (prefers-color-scheme: dark) {\n"} {
		b.WriteString(media)
		for _, s := range heatScales {
			for level := 1; level <= heats; level++ {
				c := heatColor(s.from[scheme], s.to[scheme], level)
				fmt.Fprintf(&b, ".%s.heat-%d { background: %s; color: %s }\n", s.class, level, c.css(), c.ink().css())
			}
		}
		if media != "" {
			b.WriteString("}\n")
		}
	}
	return b.String()
}

// heatColor is a colour between two.
func heatColor(from, to rgb, level int) (c rgb) {
	at := float64(level-1) / (heats - 1)
	for i := range c {
		c[i] = from[i] + float64(at*(to[i]-from[i]))
	}
	return c
}
