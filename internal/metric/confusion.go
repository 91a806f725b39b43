package metric

// Confusion counts samples by true class (row) and predicted class (column).
type Confusion [][]int

// NewConfusion makes a table of zeros.
func NewConfusion(classes int) Confusion {
	c := make(Confusion, classes)
	for k := range c {
		c[k] = make([]int, classes)
	}
	return c
}

// ClassScore says how well one class was told from the others.
type ClassScore struct {
	Label     string  `json:"label"`
	Precision float64 `json:"precision"` // of the samples predicted as this class, the fraction that belong to it
	Recall    float64 `json:"recall"`    // of the samples of this class, the fraction predicted as it
	F1        float64 `json:"f1"`        // the harmonic mean of the two
	Support   int     `json:"support"`   // the samples of this class
}

// Scores are the scores of each class, under its name. A fraction of nothing counts as 0.
func (c Confusion) Scores(classNames []string) []ClassScore {
	scores := make([]ClassScore, len(c))
	for k := range c {
		var support, predicted int
		for j := range c {
			support += c[k][j]
			predicted += c[j][k]
		}
		hits := float64(c[k][k])
		scores[k] = ClassScore{
			Label:     classNames[k],
			Precision: hits / float64(max(predicted, 1)),
			Recall:    hits / float64(max(support, 1)),
			F1:        2 * hits / float64(max(predicted+support, 1)),
			Support:   support,
		}
	}
	return scores
}
