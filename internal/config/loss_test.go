package config

import (
	"errors"
	"testing"

	"fmtrain/internal/loss"
)

// The loss is that of the settings, or else that of the checkpoint. The settings name it afterwards: resolved again without the
// checkpoint, they give the same loss.
func TestResolveLoss(t *testing.T) {
	focal5 := func() loss.Named { return loss.Named{Name: "focal", Loss: &loss.Focal{Gamma: 5}} }
	for _, test := range []struct {
		args  []string
		saved loss.Named
		want  string
	}{
		{nil, loss.Named{}, "cross-entropy (label-smoothing 0)"},
		{[]string{"--label-smoothing=0.1"}, loss.Named{}, "cross-entropy (label-smoothing 0.1)"},
		{[]string{"--loss=focal"}, loss.Named{}, "focal (focal-gamma 2)"},
		{[]string{"--loss=focal", "--focal-gamma=0.5"}, loss.Named{}, "focal (focal-gamma 0.5)"},
		{[]string{"--loss=huber", "--label-smoothing=0"}, loss.Named{}, "huber (huber-delta 1)"},
		{[]string{"--loss=mse"}, focal5(), "mse"},
		{[]string{"--loss=focal"}, focal5(), "focal (focal-gamma 2)"}, // a named loss does not take the checkpoint's settings
		{[]string{"--init=run"}, focal5(), "focal (focal-gamma 5)"},
		{[]string{"--init=run", "--focal-gamma=1"}, focal5(), "focal (focal-gamma 1)"},
	} {
		c, err := Resolve("", flags(t, test.args...))
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.ResolveLoss(test.saved)
		if err != nil || l.String() != test.want {
			t.Errorf("%q: expected %s, found %v, %v", test.args, test.want, l, err)
			continue
		}
		if again, err := c.ResolveLoss(loss.Named{}); err != nil || again.String() != test.want || c.Loss != l.Name {
			t.Errorf("%q: resolved again: expected %s, found %v, %v, named %s", test.args, test.want, again, err, c.Loss)
		}
	}

	c, err := Resolve("", flags(t, "--init=run", "--huber-delta=2"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ResolveLoss(focal5())
	want := "huber-delta: belongs to the loss huber, but the loss is focal: leave it out or set it to auto"
	if message(err) != want || !errors.Is(err, ErrInvalid) {
		t.Errorf("expected %s, found %v", want, err)
	}
}
