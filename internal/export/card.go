package export

import (
	"fmt"
	"strconv"
	"strings"

	"fmtrain/internal/dataset"
	"fmtrain/internal/run"
)

// Card is what a model card says about a model besides its network. See https://huggingface.co/docs/hub/model-cards.
type Card struct {
	Name       string // of the model
	License    string // as Hugging Face names it
	Checkpoint string // what was exported, such as "the best checkpoint, of epoch 5"
	Averaged   bool   // the weights are the averaged ones
	Data       string // what it was trained on
	Settings   [][2]string
	Measured   *Measured // nil: not measured
}

// Measured is an evaluation on the test images.
type Measured struct {
	Loss     float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"`
	Count    int     `json:"count"`
	SHA256   string  `json:"weights_sha256"`
	Images   string  `json:"images"` // a kind of data set
	Classes  []struct {
		Label     string  `json:"label"`
		Precision float64 `json:"precision"`
		Recall    float64 `json:"recall"`
	} `json:"classes"`
}

// text is the card in Markdown, with the YAML that Hugging Face reads before it.
func (c Card) text(s *Source, f Format) []byte {
	var b strings.Builder
	c.head(&b, f)
	fmt.Fprintf(&b, "\n# %s\n\nA classifier of Fashion-MNIST's grey images of 28x28 pixels, in the format %s. ", c.Name, f.Name)
	fmt.Fprintf(&b, "These are the weights of %s%s.\n", c.Checkpoint, map[bool]string{true: ", averaged over steps"}[c.Averaged])
	fmt.Fprintf(&b, "\n## Network\n\n- layers: `%s`\n- parameters: %d\n- SHA-256 of the weights: `%s`\n", s.Model.Text(), s.Weights.Total(), run.Digest(s.Weights))
	if n := s.Model.Norm; n.Form != "" {
		fmt.Fprintf(&b, "- LayerNorm: the form `%s`, ε = %v\n", n.Form, n.Epsilon)
	}
	fmt.Fprintf(&b, "\n## Classes\n\n%s.\n", strings.Join(numbered(dataset.ClassNames[:]), ", "))
	fmt.Fprintf(&b, "\n## Use\n\n%s", f.usage(s))
	if len(c.Settings) > 0 {
		b.WriteString("\n## Training\n\nThe model was trained with fmtrain:\n\n")
	}
	for _, setting := range c.Settings {
		fmt.Fprintf(&b, "- %s: `%s`\n", setting[0], setting[1])
	}
	fmt.Fprintf(&b, "\n## Data\n\n%s\n", c.Data)
	c.results(&b)
	b.WriteString(limits)
	return []byte(b.String())
}

// limits is what every model of this kind can't do.
const limits = `
## Limits

The model knows ten classes of clothes on black background, one item in the middle, as in Fashion-MNIST. For any other picture it still
names one of these classes, and its probability may be high. The images come from one shop and are small, so the results say little about photos.
`

// head is the YAML of the card.
func (c Card) head(b *strings.Builder, f Format) {
	name := strconv.Quote(c.Name) // a quoted text of JSON is one of YAML
	fmt.Fprintf(b, "---\nlicense: %s\npipeline_tag: image-classification\ntags:\n- fmtrain\n- fashion-mnist\n- %s\n", c.License, f.Name)
	b.WriteString("datasets:\n- fashion_mnist\n")
	if c.Measured != nil && c.Measured.Images == dataset.FashionMNIST.String() {
		fmt.Fprintf(b, "metrics:\n- accuracy\nmodel-index:\n- name: %s\n  results:\n  - task:\n      type: image-classification\n", name)
		fmt.Fprintf(b, "    dataset:\n      type: fashion_mnist\n      name: Fashion-MNIST\n      split: test\n")
		fmt.Fprintf(b, "    metrics:\n    - type: accuracy\n      value: %v\n    - type: loss\n      value: %v\n", c.Measured.Accuracy, c.Measured.Loss)
	}
	b.WriteString("---\n")
}

// results are the measured results, or how to measure them.
func (c Card) results(b *strings.Builder) {
	b.WriteString("\n## Results\n\n")
	m := c.Measured
	if m == nil {
		b.WriteString("These weights were not measured on the test images before the export. `fmtrain eval` does so.\n")
		return
	}
	fmt.Fprintf(b, "On %d test images of %s: accuracy %.4f, loss %.4f.\n\n| class | precision | recall |\n|---|---|---|\n", m.Count, m.Images, m.Accuracy, m.Loss)
	for _, class := range m.Classes {
		fmt.Fprintf(b, "| %s | %.4f | %.4f |\n", class.Label, class.Precision, class.Recall)
	}
}

// numbered are names with their numbers.
func numbered(names []string) (all []string) {
	for i, name := range names {
		all = append(all, fmt.Sprintf("%d %s", i, name))
	}
	return all
}
