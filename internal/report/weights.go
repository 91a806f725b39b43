package report

import (
	"fmt"
	"html/template"
	"image"
	"math"
	"strconv"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/model"
)

// Weights are the weights of a model's first layer, as pictures.
type Weights struct {
	Title, About string
	Greatest     string // the absolute value with the strongest colours
	Pictures     []Picture
	Large        bool // the pictures have the size of the images
}

// Picture is an image on the page, with its text.
type Picture struct {
	Source template.URL
	Side   int
	Text   string
}

// mostPictures is the number of units or filters that are shown.
const mostPictures = 48

// NewWeights shows the first layer with weights, if it sees the images themselves; else it is nil.
func NewWeights(m *model.Model, weights model.Weights) *Weights {
	for _, l := range m.Layers() {
		if len(l.Parameters) == 0 || l.Parameters[0].Role != layer.Weight {
			if l.Out.Size() != l.In.Size() || len(l.Parameters) > 0 {
				return nil
			}
			continue
		}
		_, values, ok := weights.Find(l.Parameters[0].Name)
		shape := l.Parameters[0].Shape
		switch {
		case !ok:
			return nil
		case len(shape) == 2 && shape[0] == dataset.Pixels:
			return pictures(values, dataset.Rows, shape[1], "units", "Each picture is one unit of "+l.Name+": its weights for the 28 × 28 pixels.")
		case len(shape) == 4 && shape[2] == 1 && shape[0] == shape[1]:
			return pictures(values, shape[0], shape[3], "filters", fmt.Sprintf("Each picture is one filter of %s: its %d × %d weights.", l.Name, shape[0], shape[0]))
		}
		return nil
	}
	return nil
}

// pictures shows weights [side·side, units] as a picture for each unit. All have the same scale of colours.
func pictures(values []float32, side, units int, noun, about string) *Weights {
	shown := min(units, mostPictures)
	greatest := 0.0
	for i, v := range values {
		if w := math.Abs(float64(v)); i%units < shown && finite(w) {
			greatest = max(greatest, w)
		}
	}
	w := &Weights{
		Title: "First-layer " + noun, About: about, Greatest: strconv.FormatFloat(greatest, 'g', 3, 64), Large: side >= dataset.Rows,
	}
	if shown < units {
		w.About += fmt.Sprintf(" The first %d of %d are shown.", shown, units)
	}
	palette := diverging()
	for unit := range shown {
		img := image.NewPaletted(image.Rect(0, 0, side, side), palette)
		low, high := math.Inf(1), math.Inf(-1)
		for i := range side * side {
			v := float64(values[i*units+unit])
			img.Pix[i] = level(v, greatest)
			low, high = min(low, v), max(high, v)
		}
		w.Pictures = append(w.Pictures, Picture{dataURI(img), side, fmt.Sprintf("%s %d: weights from %.3g to %.3g", noun[:len(noun)-1], unit, low, high)})
	}
	return w
}
