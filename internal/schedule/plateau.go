package schedule

import "fmtrain/internal/bounds"

// Plateau multiplies the rate by the factor By when the validation loss has not improved for more than Patience epochs in a
// row: torch's ReduceLROnPlateau. (Keras lowers the rate one epoch earlier.) A loss improves if it is below the best by more
// than the fraction Threshold. Each reduction restarts the count. torch's eps, the smallest change of the rate, is left out
// because it is absolute.
type Plateau struct {
	Patience  float64 // a whole number of epochs
	By        float64
	Threshold float64
	End       float64 // the smallest factor
}

// Factor is the product of By over all reductions so far.
func (p *Plateau) Factor(at Position) float64 {
	factor := 1.0
	var best float64
	var bad float64 // epochs without improvement
	for i, loss := range at.Losses {
		if i == 0 || loss < best*(1-p.Threshold) {
			best, bad = loss, 0
			continue
		}
		if bad++; bad > p.Patience {
			factor, bad = max(factor*p.By, p.End), 0
		}
	}
	return factor
}

func (*Plateau) name() string { return "plateau" }
func (p *Plateau) options() []option {
	return []option{{"patience", &p.Patience, count}, {"factor", &p.By, above0}, {"threshold", &p.Threshold, bounds.Fraction}, {"end", &p.End, from0}}
}
