package config

import (
	"strings"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
)

// metrics is a list of metrics; one alone needs no brackets in a file.
func metrics() format {
	return format{
		noun:    "NAME,NAME,...",
		allowed: metric.Allowed(dataset.ClassNames[:]),
		read: func(text string) (any, bool) {
			set, err := metric.NewSet(splitList(text), dataset.ClassNames[:])
			return set.Names(), err == nil
		},
	}
}

// splitList is the items of a list, without the spaces around them.
func splitList(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}
