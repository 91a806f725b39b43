package loop

import (
	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// feed fills the batches of a graph with the images of a set.
type feed struct {
	graph *model.Graph
	set   *dataset.Set
	rows  []int32 // of the batch
	next  []int32 // of the one after it
}

// fill makes the batch of these rows of the set, a share of it by each member of the team, and has the images of the next rows
// brought closer while the step goes on: in a new order they lie anywhere in memory.
func (f *feed) fill(t *team.Team, rows, next []int32) {
	f.rows, f.next = rows, next
	t.Run(f)
}

// mostPrefetched is the largest batch that is brought closer: 100 KB of images, a tenth of a processor's second cache. A larger
// one would drive out what the step works on, and takes so long to compute that its filling does not matter.
const mostPrefetched = 128

// Do fills a share of the batch, as a [team.Job].
func (f *feed) Do(part, parts int) {
	top, bottom := op.Split(len(f.graph.Labels), part, parts)
	share := func(rows []int32) []int32 { return rows[min(top, len(rows)):min(bottom, len(rows))] }
	f.set.Fill(f.graph.Images[top*dataset.Pixels:bottom*dataset.Pixels], f.graph.Labels[top:bottom], share(f.rows))
	if len(f.next) <= mostPrefetched {
		f.set.Prefetch(share(f.next))
	}
}
