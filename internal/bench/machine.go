package bench

import (
	"slices"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// machine measures what the processor and the memory can do.
type machine struct {
	members    *team.Team
	operations int // of a round of multiply-adds
	one, all   *measurement
	tiles      []*measurement
	tileWork   []float64
	memory     []float32
	read, both *measurement // memory by one core and by all
}

// roundsAtOnce are the rounds of multiply-adds between two looks at the clock: about a microsecond.
const roundsAtOnce = 500

// memorySize is the number of values that are read from memory, 128 MiB, which is more than most caches hold.
const memorySize = 1 << 25

// tileShapes are products whose three matrices take less than 32 KB, the first cache of most processors. The best of them counts: it
// suits the tiles of the kernel.
var tileShapes = [][3]int{{28, 112, 32}, {14, 152, 32}, {12, 160, 32}, {24, 88, 48}, {12, 128, 48}, {24, 128, 24}, {12, 192, 24}, {24, 160, 16}}

func newMachine(members *team.Team) *machine {
	m := &machine{members: members, operations: kernel.MultiplyAdds(1), memory: make([]float32, memorySize)}
	for i := range m.memory {
		m.memory[i] = 1 // so that each page is there
	}
	m.one = m.by(1, func(n, _, _ int) { kernel.MultiplyAdds(n * roundsAtOnce) })
	m.all = m.by(members.Max(), func(n, _, _ int) { kernel.MultiplyAdds(n * roundsAtOnce) })
	scan := func(n, part, parts int) {
		lo, hi := op.Split(len(m.memory), part, parts)
		for range n {
			kernel.AllFinite(m.memory[lo:hi])
		}
	}
	m.read, m.both = m.by(1, scan), m.by(members.Max(), scan)
	for _, s := range tileShapes {
		p := newProduct("NN", s[0], s[1], s[2])
		m.tiles, m.tileWork = append(m.tiles, p.measurement), append(m.tileWork, p.work)
	}
	return m
}

// by measures what so many members do at the same time, each its part n times.
func (m *machine) by(members int, do func(n, part, parts int)) *measurement {
	return &measurement{
		begin: func() { m.members.Resize(members) },
		do: func(n int) error {
			m.members.Run(job(func(part, parts int) { do(n, part, parts) }))
			return nil
		},
	}
}

// job is a function as a [team.Job].
type job func(part, parts int)

func (j job) Do(part, parts int) { j(part, parts) }

func (m *machine) measurements() []*measurement {
	return slices.Concat([]*measurement{m.one, m.all, m.read, m.both}, m.tiles)
}

func (m *machine) report(r *Report) {
	work := float64(m.operations) * roundsAtOnce / 1e9
	r.Peak = Peak{work / m.one.best(), work * float64(m.members.Max()) / m.all.best()}
	for i, t := range m.tiles {
		r.Tile = max(r.Tile, m.tileWork[i]/t.best())
	}
	const bytes = 4 * memorySize / 1e9
	r.Memory = Peak{bytes / m.read.best(), bytes / m.both.best()}
}
