package progress

import (
	"bytes"
	"math"
	"testing"

	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		epoch loop.Epoch
		want  string
	}{
		{
			loop.Epoch{Epoch: 1, Epochs: 5, Loss: 0.60134, ValLoss: 0.4571, Accuracy: 0.79206, ValAccuracy: 0.8402, Seconds: 0.5217, SamplesPerSecond: 105432, BestEpoch: 1},
			"Epoch 1/5  loss 0.6013 val 0.4571  acc 0.7921 val 0.8402  0.52 s 105k/s  best\n",
		},
		{
			loop.Epoch{Epoch: 9, Epochs: 20, Loss: 2.30259, ValLoss: 10.5, Accuracy: 1, ValAccuracy: 0, Seconds: 61.04, SamplesPerSecond: 901, BestEpoch: 3},
			"Epoch  9/20  loss 2.3026 val 10.5000  acc 1.0000 val 0.0000  61.0 s 901/s\n",
		},
		{
			loop.Epoch{Epoch: 1, Epochs: 5, Loss: 0.6, Accuracy: 0.8, ValLoss: math.NaN(), ValAccuracy: math.NaN(), Seconds: 0.52, SamplesPerSecond: 105432},
			"Epoch 1/5  loss 0.6000  acc 0.8000  0.52 s 105k/s\n",
		},
		{
			loop.Epoch{Epoch: 2, Epochs: 5, Loss: 0.6, ValLoss: 0.5, Accuracy: 0.8, ValAccuracy: 0.85, Seconds: 0.52, SamplesPerSecond: 105432, BestEpoch: 1,
				Average: &loop.Validation{Loss: 0.45123, Accuracy: 0.8612}, Scheduled: true,
				Rates: loop.Rates{{Group: "lower", LearnRate: 1e-4 / 3}, {Group: "upper", LearnRate: 0.00123}}},
			"Epoch 2/5  loss 0.6000 val 0.5000 ema 0.4512  acc 0.8000 val 0.8500 ema 0.8612  0.52 s 105k/s  lower 0.0000333 upper 0.00123\n",
		},
		{
			loop.Epoch{Epoch: 1, Epochs: 5, Loss: 0.6, ValLoss: 0.5, Accuracy: 0.8, ValAccuracy: 0.75, Seconds: 0.52, SamplesPerSecond: 105432, BestEpoch: 1,
				Metrics: metric.Values{{Name: "top3", Value: 0.97889}, {Name: "precision:Ankle boot", Value: 1}}},
			"Epoch 1/5  loss 0.6000 val 0.5000  acc 0.8000 val 0.7500  val top3 0.9789 precision:Ankle boot 1.0000  0.52 s 105k/s  best\n",
		},
	} {
		var got bytes.Buffer
		if err := NewLines(&got, false).OnEpoch(&c.epoch); err != nil {
			t.Fatal(err)
		}
		if got.String() != c.want {
			t.Errorf("\n got %q\nwant %q", &got, c.want)
		}
	}
}

func TestLineFits80Columns(t *testing.T) {
	for epochs := 1; epochs < 100; epochs++ {
		e := loop.Epoch{Epoch: epochs, Epochs: epochs, Loss: 9.9999, ValLoss: 9.9999, Accuracy: 1, ValAccuracy: 1, BestEpoch: epochs}
		for _, s := range []float64{0.01, 0.5217, 12.34, 9999} {
			e.Seconds, e.SamplesPerSecond = s, 55000/s
			var line bytes.Buffer
			if err := NewLines(&line, false).OnEpoch(&e); err != nil {
				t.Fatal(err)
			}
			if n := line.Len() - 1; n > 79 {
				t.Errorf("%d columns: %s", n, &line)
			}
		}
	}
}
