package layernorm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
)

// Check is one comparison: the largest error found and the allowed error. If the cases have different tolerances, it is the pair
// that comes nearest to its tolerance, or exceeds it most.
type Check struct {
	Name      string  `json:"name"`
	Against   string  `json:"against"`
	Measure   string  `json:"measure"` // what the error measures, and what the tolerance allows
	Values    int     `json:"values"`  // numbers compared
	Error     float64 `json:"error"`
	Tolerance float64 `json:"tolerance"`
	Passed    bool    `json:"passed"`
}

// The tolerances. float32 has a unit roundoff of 2⁻²⁴.
const (
	unit = 1.0 / (1 << 24)

	// gradientTolerance is relative to the largest entry of a gradient.
	gradientTolerance = 1e-5
	// bookFigure is the mean absolute error that the book finds between its layer and Keras's. Its rows are near zero and
	// the mean |y| is about bookSize.
	bookFigure, bookSize = 4e-8, 0.82
	// meanConditioning, times 2⁻²⁴·|μ|/s·|α|, is the mean error that a row far from zero may have. Keras's formula in float32
	// was measured at 0.6 to 1.04 of that, for |μ|/s from 1 to 99 (TestMeanErrorOfRowsFarFromZero).
	meanConditioning = 1.2
	// illConditioned is the |μ|/σ from which a row's own representation limits what float32 arithmetic can show.
	illConditioned = 100
)

// forwardTolerance is 4 units in the last place of the largest |y| of a case, or 1e-6.
func forwardTolerance(y []float64) float64 {
	largest := largestOf(y)
	ulp := math.Ldexp(1, int(math.Floor(math.Log2(math.Max(largest, math.SmallestNonzeroFloat32))))-23)
	return math.Max(4*ulp, 1e-6)
}

// compare adds a difference with its tolerance. It keeps the one that is nearest to its tolerance so far, or furthest beyond. NaN
// and infinities count as the largest number, which JSON can show.
func (c *Check) compare(err, tolerance float64) {
	if math.IsNaN(err) || math.IsInf(err, 0) {
		err = math.MaxFloat64
	}
	if c.Values == 0 || ratio(err, tolerance) > ratio(c.Error, c.Tolerance) {
		c.Error, c.Tolerance = err, tolerance
	}
	c.Values++
	c.Passed = c.Error <= c.Tolerance
}

// ratio is the error divided by its tolerance. With a tolerance of 0 it is infinite for any error but 0.
func ratio(err, tolerance float64) float64 {
	if err == 0 {
		return 0
	}
	return err / tolerance
}

func (c *Check) compareAll(got []float32, want []float64, tolerance float64) {
	for i, v := range got {
		c.compare(math.Abs(float64(v)-want[i]), tolerance)
	}
}

// compareGradients compares dx, dα and dβ, each relative to its largest entry.
func (c *Check) compareGradients(got [][]float32, want *Truth, tolerance float64) {
	for i, w := range [][]float64{want.DX, want.DAlpha, want.DBeta} {
		largest := largestOf(w)
		if largest == 0 {
			largest = 1
		}
		for j, v := range got[i] {
			c.compare(math.Abs(float64(v)-w[j])/largest, tolerance)
		}
	}
}

// largestOf is the largest magnitude of the values, without NaN.
func largestOf(values []float64) (largest float64) {
	for _, v := range values {
		if size := math.Abs(v); size > largest {
			largest = size
		}
	}
	return largest
}

// CheckAll runs every check: against the golden files, Gorgonia's own nodes, the float64 reference, finite differences and
// the LispMachine. An error means that a check could not be run, not that it failed.
func CheckAll(golden []*Golden) ([]Check, error) {
	var checks []Check
	for _, g := range golden {
		found, err := checkGolden(g)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.Name, err)
		}
		checks = append(checks, found...)
	}
	for _, exact := range golden {
		for _, keras := range golden {
			found, err := checkFarRows(exact, keras)
			if err != nil {
				return nil, err
			}
			if found.Values > 0 {
				checks = append(checks, found)
			}
		}
	}
	for _, run := range []func() ([]Check, error){checkReference, checkComposite, checkDifferences, checkLisp} {
		found, err := run()
		if err != nil {
			return nil, err
		}
		checks = append(checks, found...)
	}
	return checks, nil
}

// checkGolden checks the op against a golden file, in each form that the file knows.
func checkGolden(g *Golden) ([]Check, error) {
	var checks []Check
	for _, form := range []Form{Book, Keras} {
		exact := Check{Name: string(form) + " forward", Against: g.Name, Measure: "|y| error; 4 ULP of the largest |y|, or 1e-6"}
		float32s := Check{Name: string(form) + " forward", Against: g.Name,
			Measure: "|y| difference; as exact, plus 4·2⁻²⁴·|μ|/s·|α| for the reference's own float32"}
		mean := Check{Name: string(form) + " mean error", Against: g.Name, Measure: "mean |y| difference, rows with |μ|/s < 100; the book's 4e-8, more for large |y| or |μ|/s"}
		gradients := Check{Name: string(form) + " gradients", Against: g.Name, Measure: "dx, dα, dβ error relative to the largest entry"}
		var sum, size, far float64 // of the values: errors, magnitudes, and errors to expect from the conditioning
		var count int
		for i := range g.Cases {
			c := &g.Cases[i]
			truth := g.truth(c, form)
			if truth == nil {
				continue
			}
			got, err := c.problem(form).Static()
			if err != nil {
				return nil, fmt.Errorf("case %d: %w", i+1, err)
			}
			tolerance := forwardTolerance(truth.Y)
			if truth.DX != nil {
				exact.compareAll(got.Y, truth.Y, tolerance)
				gradients.compareGradients(got.Gradients, truth, gradientTolerance)
				continue
			}
			for j, conditioning := range c.conditioning(form) {
				for k, alpha := range c.Alpha {
					at := j*len(c.Alpha) + k
					err := math.Abs(float64(got.Y[at]) - truth.Y[at])
					float32s.compare(err, tolerance+4*unit*conditioning*math.Abs(float64(alpha)))
					if conditioning < illConditioned {
						sum += err
						size += math.Max(math.Abs(truth.Y[at]-float64(c.Beta[k])), math.Abs(float64(c.Beta[k])))
						far += meanConditioning * unit * conditioning * math.Abs(float64(alpha))
						count++
					}
				}
			}
		}
		if count > 0 {
			n := float64(count)
			mean.compare(sum/n, max(bookFigure, bookFigure*size/n/bookSize, far/n))
			mean.Values = count
		}
		for _, c := range []Check{exact, float32s, mean, gradients} {
			if c.Values > 0 {
				checks = append(checks, c)
			}
		}
	}
	return checks, nil
}

// checkFarRows compares the error of the op on rows far from zero with the error of Keras, where exact and keras are golden
// files with the same inputs, the one with the float64 truth and the other with Keras's float32 output.
func checkFarRows(exact, keras *Golden) (Check, error) {
	check := Check{Name: "keras forward, far rows", Against: keras.Name, Measure: "|y| error on rows with |μ|/σ ≥ 100; no more than Keras's own"}
	for i := range min(len(exact.Cases), len(keras.Cases)) {
		c := &exact.Cases[i]
		truth, theirs := exact.truth(c, Keras), keras.truth(&keras.Cases[i], Keras)
		if truth == nil || truth.DX == nil || theirs == nil || theirs.DX != nil || !slices.Equal(c.X, keras.Cases[i].X) {
			continue
		}
		got, err := c.problem(Keras).Static()
		if err != nil {
			return check, fmt.Errorf("%s: case %d: %w", exact.Name, i+1, err)
		}
		n := len(c.Alpha)
		for at := 0; at < len(c.X); at += n {
			mean, sigma := moments(c.X[at : at+n])
			if math.Abs(mean) < illConditioned*sigma {
				continue
			}
			var ours, keras float64
			for j := at; j < at+n; j++ {
				ours = math.Max(ours, math.Abs(float64(got.Y[j])-truth.Y[j]))
				keras = math.Max(keras, math.Abs(theirs.Y[j]-truth.Y[j]))
			}
			check.compare(ours, keras)
		}
	}
	return check, nil
}

// hardRows makes a case of rows that a careless LayerNorm gets wrong, and of ordinary ones.
func hardRows(features int) *GoldenCase {
	r := rand.New(rand.NewPCG(2017, uint64(features)))
	normal := func(mean, sigma float64) []float32 {
		row := make([]float32, features)
		for i := range row {
			row[i] = float32(mean + sigma*r.NormFloat64())
		}
		return row
	}
	c := &GoldenCase{Epsilon: DefaultEpsilon, Alpha: normal(1, 0.3), Beta: normal(0, 0.3)}
	for _, row := range [][]float32{
		normal(0, 1), normal(-3, 2), // ordinary
		normal(2000, 1),            // far from zero
		normal(0, 1e-4),            // as small as ε
		normal(0, 1e4),             // large
		normal(7, 0), normal(0, 0), // constant
		normal(0, 1e-30), // squares that are no float32
	} {
		c.X = append(c.X, row...)
		c.DY = append(c.DY, normal(0, 1)...)
	}
	c.Shape = []int{len(c.X) / features, features}
	return c
}

// checkReference compares the op with the float64 reference on hard rows of several lengths.
func checkReference() ([]Check, error) {
	var checks []Check
	for _, form := range []Form{Book, Keras} {
		forward := Check{Name: string(form) + " forward, hard rows", Against: "float64 reference", Measure: "|y| error; 4 ULP of the largest |y|, or 1e-6"}
		backward := Check{Name: string(form) + " gradients, hard rows", Against: "float64 reference", Measure: "dx, dα, dβ error relative to the largest entry of a row"}
		for _, features := range []int{1, 2, 3, 10, 100, 784} {
			c := hardRows(features)
			got, err := c.problem(form).Static()
			if err != nil {
				return nil, err
			}
			truth := Reference(c.X, c.Alpha, c.Beta, c.DY, form, c.Epsilon)
			forward.compareAll(got.Y, truth.Y, forwardTolerance(truth.Y))
			// dx is compared row by row: its rows differ by many orders of magnitude.
			for at := 0; at < len(c.X); at += features {
				row := &Truth{DX: truth.DX[at : at+features]}
				backward.compareGradients([][]float32{got.Gradients[0][at : at+features], nil, nil}, row, gradientTolerance)
			}
			backward.compareGradients([][]float32{nil, got.Gradients[1], got.Gradients[2]}, truth, gradientTolerance)
		}
		checks = append(checks, forward, backward)
	}
	return checks, nil
}

// ordinary makes a problem with ordinary rows of the given shape.
func ordinary(form Form, shape ...int) *gradcheck.Problem {
	r := rand.New(rand.NewPCG(12, uint64(len(shape))))
	values := func(n int, mean float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(mean + r.NormFloat64())
		}
		return v
	}
	size, features := tensor.Shape(shape).TotalSize(), shape[len(shape)-1]
	c := &GoldenCase{Shape: shape, Epsilon: DefaultEpsilon, X: values(size, 0.5), Alpha: values(features, 1), Beta: values(features, 0), DY: values(size, 0)}
	return c.problem(form)
}

// checkComposite compares the op with the same formula built of Gorgonia's own nodes.
func checkComposite() ([]Check, error) {
	var checks []Check
	for _, form := range []Form{Book, Keras} {
		c := Check{Name: string(form) + " forward, gradients", Against: "Gorgonia's own nodes", Measure: "relative to the largest entry; their float32 adds its own error"}
		p := ordinary(form, 32, 100)
		ours, err := p.Static()
		if err != nil {
			return nil, err
		}
		p.Build = Composite(form, DefaultEpsilon)
		theirs, err := p.Static()
		if err != nil {
			return nil, err
		}
		c.compareGradients([][]float32{ours.Y, nil, nil}, &Truth{DX: float64s(theirs.Y)}, gradientTolerance)
		c.compareGradients(ours.Gradients, &Truth{DX: float64s(theirs.Gradients[0]), DAlpha: float64s(theirs.Gradients[1]), DBeta: float64s(theirs.Gradients[2])}, gradientTolerance)
		checks = append(checks, c)
	}
	return checks, nil
}

// checkDifferences compares the gradients with central differences of the forward pass. With a step h the float32 forward
// pass leaves an error of some 2⁻²⁴/h·Σ|y⊗dy|, and the formula one of h²: at h = 1e-2 both are near 1e-4.
func checkDifferences() ([]Check, error) {
	const step, tolerance = 1e-2, 1e-3
	var checks []Check
	for _, form := range []Form{Book, Keras} {
		c := Check{Name: string(form) + " gradients", Against: "finite differences", Measure: "relative to the largest entry; float32 differences show no more"}
		p := ordinary(form, 4, 10)
		ours, err := p.Static()
		if err != nil {
			return nil, err
		}
		want, err := p.FiniteDifferences(step)
		if err != nil {
			return nil, err
		}
		c.compareGradients(ours.Gradients, &Truth{DX: want[0], DAlpha: want[1], DBeta: want[2]}, tolerance)
		checks = append(checks, c)
	}
	return checks, nil
}

// checkLisp compares symbolic differentiation on the static executor with the LispMachine: the same bits, in every rank. Both run
// the same functions, so this checks how the op is wired into graphs, not its formulas.
func checkLisp() ([]Check, error) {
	var checks []Check
	for _, form := range []Form{Book, Keras} {
		c := Check{Name: string(form) + " forward, gradients", Against: "Gorgonia's LispMachine", Measure: "difference; same functions, tests their wiring; ranks 1 to 4"}
		for _, shape := range [][]int{{7}, {5, 7}, {2, 3, 5}, {2, 2, 3, 4}} {
			p := ordinary(form, shape...)
			static, err := p.Static()
			if err != nil {
				return nil, err
			}
			lisp, err := p.Lisp()
			if err != nil {
				return nil, err
			}
			c.compareAll(static.Y, float64s(lisp.Y), 0)
			for i, g := range static.Gradients {
				c.compareAll(g, float64s(lisp.Gradients[i]), 0)
			}
		}
		checks = append(checks, c)
	}
	return checks, nil
}

func float64s(values []float32) []float64 {
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	return wide
}
