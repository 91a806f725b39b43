package schedule

import "testing"

func TestTrapezoid(t *testing.T) {
	s, err := Parse("trapezoid:hold=0.5,end=0.25")
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range []float64{1, 1, 1, 1, 1, 0.8125, 0.625, 0.4375, 0.25} {
		if found := s.Factor(Position{Step: step, Steps: 8, EpochSteps: 4}); found != want {
			t.Errorf("step %d: expected %v, found %v", step, want, found)
		}
	}
}
