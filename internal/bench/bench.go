// Package bench measures what this machine can do, and how close the kernels and the training steps come to it.
//
// Other programs may run beside it. So everything is measured in rounds: each round takes a turn at every quantity, for a slice of the
// time. A figure is its best window, which is the one that was disturbed least. Where the windows differ much, the report says what ran
// beside.
//
//	bench.go         the report, and the rounds
//	measure.go       one quantity and its windows
//	machine.go       the peak, a tile in the first cache, memory
//	products.go      matrix products
//	convolutions.go  convolutions, which are reported beside the products
//	steps.go         training steps, and the shares of their parts
//	beside.go        what ran beside
package bench

import (
	"context"
	"slices"
	"time"

	"fmtrain/internal/team"
)

// Report is what was measured, as JSON has it. Speeds are in 10⁹ operations or bytes a second. A share is of the peak of as many cores.
type Report struct {
	Peak     Peak      `json:"peak_gflops"`
	Tile     float64   `json:"tile_gflops"` // of matrices that lie in the first cache
	Products []Product `json:"products"`    // on one core
	Steps    []Step    `json:"steps"`
	Memory   Peak      `json:"memory_gb_per_second"` // reading
	Parts    []Parts   `json:"parts"`                // of the steps, on one core

	Cores   int     `json:"cores"`
	Seconds float64 `json:"seconds"` // that it all took
	Spread  float64 `json:"spread"`  // how much longer a median window takes than the best, the median over all figures
	Beside  Beside  `json:"beside"`
}

// Peak is the speed of one core and of all.
type Peak struct {
	One float64 `json:"one"`
	All float64 `json:"all"`
}

// of is the peak of some of the cores, between those of one and of all.
func (p Peak) of(members, cores int) float64 {
	if cores == 1 {
		return p.One
	}
	return p.One + (p.All-p.One)*float64(members-1)/float64(cores-1)
}

// Product is the speed of a matrix product, such as NN 512x784x512: the rows, terms and columns, and whether a matrix is transposed. Or
// of a convolution of 3x3, such as conv 128x14x14x64 to 64 dW: the maps, the channels that it makes, and the direction.
type Product struct {
	Shape  string  `json:"shape"`
	GFLOPS float64 `json:"gflops"`
	Share  float64 `json:"share"`
}

// Step is the speed of a training step on some threads. GFLOPS counts the operations of its products.
type Step struct {
	Name            string  `json:"name"`
	Threads         int     `json:"threads"`
	ImagesPerSecond float64 `json:"images_per_second"`
	GFLOPS          float64 `json:"gflops"`
	Share           float64 `json:"share"`
}

// Parts are the shares of a step's time.
type Parts struct {
	Name   string      `json:"name"`
	Shares []PartShare `json:"shares"`
}

// PartShare is the share of one part.
type PartShare struct {
	Part  string  `json:"part"`
	Share float64 `json:"share"`
}

// Share is the share of the part of that name.
func (p Parts) Share(part string) float64 {
	i := slices.IndexFunc(p.Shares, func(s PartShare) bool { return s.Part == part })
	return p.Shares[i].Share
}

// noisy is the spread beyond which the machine was not quiet.
const noisy = 0.1

// Noisy says whether the windows of the figures differ so much that something must have run beside.
func (r *Report) Noisy() bool { return r.Spread > noisy }

const (
	maxRounds = 8
	leastTurn = 2 * time.Millisecond
	mostTurn  = 200 * time.Millisecond
)

// Run measures everything, in about the given time, but each quantity once at least.
func Run(ctx context.Context, about time.Duration) (*Report, error) {
	began, before := time.Now(), machineUse()
	members := team.New(team.Cores())
	defer members.Close()

	m := newMachine(members)
	products := append(newProducts(), newConvolutions()...)
	steps, err := newSteps()
	if err != nil {
		return nil, err
	}
	defer steps.close()
	all := slices.Concat(m.measurements(), products.measurements(), steps.measurements())

	ends := began.Add(about)
	turn := min(max(time.Until(ends)/time.Duration(maxRounds*len(all)), leastTurn), mostTurn)
	var longest time.Duration
	for round := 0; round < maxRounds && (round == 0 || time.Now().Add(longest).Before(ends)); round++ {
		start := time.Now()
		for _, q := range all {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := q.take(turn); err != nil {
				return nil, err
			}
		}
		longest = max(longest, time.Since(start))
	}

	r := &Report{Cores: members.Max(), Spread: spread(all)}
	m.report(r)
	products.report(r)
	steps.report(r)
	r.Seconds = time.Since(began).Seconds()
	r.Beside = machineUse().since(before)
	return r, nil
}
