package layernorm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
)

// Golden is a file of reference values. Each case holds an input and its results: either y alone, in the form that epsilon_form
// names for the whole file (Keras's float32 output), or y and the gradients for each form (float64 truth).
type Golden struct {
	Name        string       `json:"-"`
	Source      string       `json:"source"`
	EpsilonForm string       `json:"epsilon_form"`
	Cases       []GoldenCase `json:"cases"`
}

// maxRank is the largest rank of an input. Gorgonia counts axes in a byte.
const maxRank = 32

// GoldenCase is one input, of rank 1 to maxRank, with α and β as long as its last axis.
type GoldenCase struct {
	Shape    []int     `json:"shape"`
	Epsilon  float64   `json:"epsilon"`
	X        []float32 `json:"x"`
	Alpha    []float32 `json:"alpha"`
	Beta     []float32 `json:"beta"`
	Y        []float64 `json:"y"`
	DY       []float32 `json:"dy"`
	Sigma    *Truth    `json:"sigma"`    // of the book's form
	Variance *Truth    `json:"variance"` // of Keras's form
}

// Truth is the output of a case and its gradients for the case's dy.
type Truth struct {
	Y      []float64 `json:"y"`
	DX     []float64 `json:"dx"`
	DAlpha []float64 `json:"dalpha"`
	DBeta  []float64 `json:"dbeta"`
}

// maxGolden is the largest size of a golden file in bytes, twelve times the size of the largest one of the project.
const maxGolden = 16 << 20

// ReadGolden reads a golden file and checks that its shapes fit. An error names the file and what is wrong with it. It uses only a
// small multiple of the file's length in memory, whatever is in the file.
func ReadGolden(name string, r io.Reader) (*Golden, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxGolden+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxGolden {
		return nil, fmt.Errorf("%s: expected a golden file of at most %d bytes, found more", name, maxGolden)
	}
	g := &Golden{Name: name}
	if err := g.decode(text); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%s:%d: %w", name, 1+bytes.Count(text[:syntax.Offset], []byte("\n")), err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

// decode reads the cases one by one and stops at the first wrong one, to save memory: {} has three bytes in a list of cases, a
// [GoldenCase] a hundred times as many.
func (g *Golden) decode(text []byte) error {
	file := struct {
		*Golden
		Cases []json.RawMessage `json:"cases"`
	}{Golden: g}
	if err := json.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("expected a golden file in JSON: %w", err)
	}
	if len(file.Cases) == 0 {
		return errors.New("expected a golden file with cases, found none")
	}
	for i, text := range file.Cases {
		var c GoldenCase
		if err := json.Unmarshal(text, &c); err != nil {
			return fmt.Errorf("case %d: expected a golden file in JSON: %w", i+1, err)
		}
		if err := c.check(g.EpsilonForm); err != nil {
			return fmt.Errorf("case %d: %w", i+1, err)
		}
		g.Cases = append(g.Cases, c)
	}
	return nil
}

func (c *GoldenCase) check(epsilonForm string) error {
	if rank := len(c.Shape); rank < 1 || rank > maxRank {
		return fmt.Errorf("expected a shape of rank 1 to %d, found rank %d", maxRank, rank)
	}
	size := 1
	for _, n := range c.Shape {
		if n < 1 || size > len(c.X)/n {
			return fmt.Errorf("expected x of shape %v, found %d values", c.Shape, len(c.X))
		}
		size *= n
	}
	if !(c.Epsilon > 0) {
		return fmt.Errorf("expected a positive epsilon, found %v", c.Epsilon)
	}
	features := c.Shape[len(c.Shape)-1]
	known := c.Sigma != nil || c.Variance != nil
	if !known && epsilonForm != "variance" && epsilonForm != "sigma" {
		return fmt.Errorf(`expected the truth under "sigma" or "variance", or an epsilon_form of one of them for y, found %.100q`, epsilonForm)
	}
	lengths := []length{{"x", len(c.X), size}, {"alpha", len(c.Alpha), features}, {"beta", len(c.Beta), features}}
	if known || c.DY != nil {
		lengths = append(lengths, length{"dy", len(c.DY), size})
	}
	if !known || c.Y != nil {
		lengths = append(lengths, length{"y", len(c.Y), size})
	}
	for _, t := range []struct {
		form string
		*Truth
	}{{"sigma", c.Sigma}, {"variance", c.Variance}} {
		if t.Truth != nil {
			lengths = append(lengths, length{t.form + ".y", len(t.Y), size}, length{t.form + ".dx", len(t.DX), size},
				length{t.form + ".dalpha", len(t.DAlpha), features}, length{t.form + ".dbeta", len(t.DBeta), features})
		}
	}
	for _, l := range lengths {
		if l.found != l.want {
			return fmt.Errorf("expected %d values of %s for the shape %v, found %d", l.want, l.of, c.Shape, l.found)
		}
	}
	return nil
}

type length struct {
	of          string
	found, want int
}

// truth is what is known about a case in a form; nil if nothing is. Keras's files only have y.
func (g *Golden) truth(c *GoldenCase, form Form) *Truth {
	byForm := map[Form]*Truth{Book: c.Sigma, Keras: c.Variance}
	if t := byForm[form]; t != nil {
		return t
	}
	if c.Y != nil && g.EpsilonForm == map[Form]string{Book: "sigma", Keras: "variance"}[form] {
		return &Truth{Y: c.Y}
	}
	return nil
}

// problem is the case as an expression in the given form.
func (c *GoldenCase) problem(form Form) *gradcheck.Problem {
	dy := c.DY
	if dy == nil {
		dy = make([]float32, len(c.X))
	}
	dense := func(values []float32, shape ...int) *tensor.Dense {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float32(nil), values...)))
	}
	return &gradcheck.Problem{
		Build: func(in gorgonia.Nodes) (*gorgonia.Node, error) {
			return Apply(in[0], in[1], in[2], form, c.Epsilon)
		},
		Inputs: []*tensor.Dense{dense(c.X, c.Shape...), dense(c.Alpha, len(c.Alpha)), dense(c.Beta, len(c.Beta))},
		DY:     dy,
	}
}

// conditioning is |μ|/s of each row, where s is the scale that x−μ is divided by. It says how much x̂ magnifies an error in μ.
func (c *GoldenCase) conditioning(form Form) []float64 {
	n := len(c.Alpha)
	rows := make([]float64, len(c.X)/n)
	for r := range rows {
		mean, sigma := moments(c.X[r*n : (r+1)*n])
		rows[r] = math.Abs(mean) / scale(form, sigma, c.Epsilon)
	}
	return rows
}
