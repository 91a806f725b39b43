package main

import (
	"slices"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
)

// newMetrics makes the metrics of these names but for the accuracy, which the loop and an evaluation count themselves.
func newMetrics(names []string) (*metric.Set, error) {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "accuracy" })
	return metric.NewSet(names, dataset.ClassNames[:])
}
