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
}

// fill makes the batch of these rows of the set, a share of it by each member of the team.
func (f *feed) fill(t *team.Team, rows []int32) {
	f.rows = rows
	t.Run(f)
}

// Do fills a share of the batch, as a [team.Job].
func (f *feed) Do(part, parts int) {
	top, bottom := op.Share(len(f.graph.Labels), part, parts)
	first, last := min(top, len(f.rows)), min(bottom, len(f.rows))
	f.set.Fill(f.graph.Images[top*dataset.Pixels:bottom*dataset.Pixels], f.graph.Labels[top:bottom], f.rows[first:last])
}
