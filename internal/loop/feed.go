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

	changer dataset.Changer // what changes the images; nil: nothing does
	epoch   int             // for the changer
	work    []workingImage  // of each member of the team, for the changer
}

// workingImage is working memory of one member. The padding keeps two members out of one cache line.
type workingImage struct {
	image [dataset.Pixels]uint8
	_     [64]byte
}

// change lets a changer change the images of the batches that a team fills from now on.
func (f *feed) change(c dataset.Changer, t *team.Team) {
	f.changer = c
	if len(f.work) < t.Max() {
		f.work = make([]workingImage, t.Max())
	}
}

// fill makes the batch of these rows of the set; each member of the team fills a share. It also prefetches the images of the next rows
// during the step, because in a shuffled order they can be anywhere in memory.
func (f *feed) fill(t *team.Team, rows, next []int32) {
	f.rows, f.next = rows, next
	t.Run(f)
}

// MaxPrefetched is the largest batch that is prefetched: 100 KB of images, a tenth of a processor's second-level cache. A larger
// one would evict the data of the step, and its step is so long that the time to fill it does not matter.
const MaxPrefetched = 128

// Do fills a share of the batch, as a [team.Job].
func (f *feed) Do(part, parts int) {
	top, bottom := op.Split(len(f.graph.Labels), part, parts)
	share := func(rows []int32) []int32 { return rows[min(top, len(rows)):min(bottom, len(rows))] }
	images, labels := f.graph.Images[top*dataset.Pixels:bottom*dataset.Pixels], f.graph.Labels[top:bottom]
	if f.changer == nil {
		f.set.Fill(images, labels, share(f.rows))
	} else {
		f.set.FillChanged(images, labels, share(f.rows), f.changer, f.epoch, &f.work[part].image)
	}
	if len(f.next) <= MaxPrefetched {
		f.set.Prefetch(share(f.next))
	}
}
