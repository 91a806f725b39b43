package build

import (
	"fmtrain/internal/config"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
)

// parts are what trains each group.
type parts struct {
	solvers   []solver.Solver
	schedules []schedule.Schedule // nil for a constant rate
}

func newParts(groups []config.Group, decayAll bool) (p parts, err error) {
	for _, g := range groups {
		options, err := solver.Defaults(g.Solver)
		if err != nil {
			return p, err
		}
		options.WeightDecay, options.DecayAll = g.WeightDecay, decayAll
		s, err := solver.New(g.Solver, g.LR, options)
		if err != nil {
			return p, err
		}
		moves := g.Schedule
		if g.Constant() {
			moves = nil
		}
		p.solvers, p.schedules = append(p.solvers, s), append(p.schedules, moves)
	}
	return p, nil
}
