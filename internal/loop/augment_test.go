package loop

import (
	"slices"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/team"
)

// Each step trains on the images that the augmenter makes of its rows in its epoch, whatever the size of the batch and the number of
// threads, in any order of the images. Validation images are not changed.
func TestStepsAreAugmented(t *testing.T) {
	for _, c := range []struct {
		batch, members int
		shuffle        bool
	}{{32, 1, true}, {7, 2, true}, {1, 1, false}, {19, 3, false}} {
		s := small()
		s.augment, s.batch, s.validation = "flip,shift:2,cutout:8,erase", c.batch, 30
		var seen recorder
		trainer := s.trainer(t, &seen)
		trainer.Sampler = dataset.NewSampler(s.images, s.seed, c.shuffle)
		trainer.Team = team.New(c.members)
		defer trainer.Team.Close()
		want := dataset.NewSampler(s.images, s.seed, c.shuffle)
		x, labels := make([]float32, c.batch*dataset.Pixels), make([]int32, c.batch)
		var image [dataset.Pixels]uint8
		var plain int
		seen.onIteration = func(it *Iteration) error {
			order := want.Order(it.Epoch)
			first := (it.Iteration - 1) * c.batch
			rows := order[first:min(first+c.batch, len(order))]
			trainer.Train.FillChanged(x, labels, rows, trainer.Augmenter, it.Epoch, &image)
			if !slices.Equal(x, trainer.Graph.Images) || !slices.Equal(labels, trainer.Graph.Labels) {
				t.Errorf("%+v: epoch %d, iteration %d: other images", c, it.Epoch, it.Iteration)
			}
			if trainer.Train.Fill(x, labels, rows); slices.Equal(x, trainer.Graph.Images) {
				plain++
			}
			return nil
		}
		seen.onEpoch = func(*Epoch) error {
			feed := trainer.Validation.feed
			all := make([]float32, len(feed.graph.Images))
			if feed.set.Fill(all, make([]int32, len(feed.graph.Labels)), trainer.Validation.order); !slices.Equal(all, feed.graph.Images) {
				t.Errorf("%+v: the validation images are changed", c)
			}
			return nil
		}
		train(t, trainer)
		if plain > len(seen.iterations)/10 {
			t.Errorf("%+v: %d of %d batches are not augmented", c, plain, len(seen.iterations))
		}
	}
}
