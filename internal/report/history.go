package report

import (
	"encoding/json"
	"math"
	"slices"

	"fmtrain/internal/run"
)

// History is what a run measured, epoch by epoch. Values that were not measured are NaN.
type History struct {
	Epochs                                       []float64
	Loss, Accuracy, ValLoss, ValAccuracy         []float64
	AverageLoss, AverageAccuracy, ImagesInSecond []float64
	Groups                                       []string // in the order of the metrics' first epoch
	Rates                                        map[string][]float64
}

// ReadHistory reads the epochs of a run's metrics. An epoch that comes again, after a resume, replaces the earlier one and those after it.
func ReadHistory(d run.Dir) (*History, error) {
	type epoch struct {
		run.Epoch
		AverageLoss     *float64            `json:"ema_val_loss"`
		AverageAccuracy *float64            `json:"ema_val_accuracy"`
		ImagesInSecond  *float64            `json:"samples_per_second"`
		Rates           map[string]*float64 `json:"lr"`
	}
	var epochs []epoch
	err := d.Events(func(e run.Event) error {
		var next epoch
		if e.Event == "epoch" && json.Unmarshal(e.Line, &next) == nil {
			at, _ := slices.BinarySearchFunc(epochs, next.Epoch.Epoch, func(e epoch, n int) int { return e.Epoch.Epoch - n })
			epochs = append(epochs[:at], next)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	h := &History{Rates: map[string][]float64{}}
	for _, e := range epochs {
		for group := range e.Rates {
			if !slices.Contains(h.Groups, group) {
				h.Groups = append(h.Groups, group)
			}
		}
	}
	slices.Sort(h.Groups)
	for _, e := range epochs {
		h.Epochs = append(h.Epochs, float64(e.Epoch.Epoch))
		for _, v := range []struct {
			to   *[]float64
			from *float64
		}{
			{&h.Loss, e.Loss}, {&h.Accuracy, e.Accuracy}, {&h.ValLoss, e.ValLoss}, {&h.ValAccuracy, e.ValAccuracy},
			{&h.AverageLoss, e.AverageLoss}, {&h.AverageAccuracy, e.AverageAccuracy}, {&h.ImagesInSecond, e.ImagesInSecond},
		} {
			*v.to = append(*v.to, orNaN(v.from))
		}
		for _, group := range h.Groups {
			h.Rates[group] = append(h.Rates[group], orNaN(e.Rates[group]))
		}
	}
	return h, nil
}

func orNaN(x *float64) float64 {
	if x == nil {
		return math.NaN()
	}
	return *x
}

// known says whether there is a value.
func known(values []float64) bool { return slices.ContainsFunc(values, finite) }

// Series are the curves that have a value, out of some named ones.
func (h *History) Series(names []string, values ...[]float64) (all []Series) {
	for i, name := range names {
		if known(values[i]) {
			all = append(all, Series{Name: name, X: h.Epochs, Y: values[i]})
		}
	}
	return all
}

// Known says whether the curve has a point.
func (s Series) Known() bool { return known(s.Y) }

// Wide says whether the values of some curves are all above 0 and so different that a logarithmic axis shows them better. A rate that ends
// near 0 would take most of such an axis.
func Wide(all []Series) bool {
	least, greatest := math.Inf(1), 0.0
	for _, s := range all {
		for _, v := range s.Y {
			if finite(v) {
				least, greatest = min(least, v), max(greatest, v)
			}
		}
	}
	return least > 0 && greatest > 5*least && greatest < 1e4*least
}

// Mean is the mean of a value of several runs in each epoch that all of them have, with a band of one standard deviation (n − 1).
func Mean(name string, histories []*History, of func(*History) []float64) Series {
	s := Series{Name: name}
	for i, epoch := range histories[0].Epochs {
		values := []float64{of(histories[0])[i]}
		for _, h := range histories[1:] {
			if at, ok := slices.BinarySearch(h.Epochs, epoch); ok {
				values = append(values, of(h)[at])
			}
		}
		if len(values) < len(histories) {
			continue
		}
		var mean, squares float64
		for _, v := range values {
			mean += v / float64(len(values))
		}
		for _, v := range values {
			squares += float64((v - mean) * (v - mean))
		}
		s.X, s.Y = append(s.X, epoch), append(s.Y, mean)
		if len(histories) > 1 {
			s.Band = append(s.Band, math.Sqrt(squares/float64(len(values)-1)))
		}
	}
	return s
}
