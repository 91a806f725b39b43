package progress

import (
	"slices"
	"strconv"
	"time"
)

// Download shows files that are downloaded one after the other: a bar during the download, and a line after it.
//
//	train-images-idx3-ubyte.gz  45%  [=====>      ]  11.9 MB of 26.4 MB  3.2 MB/s  0:05 left
//	train-images-idx3-ubyte.gz  26.4 MB  8.21 s
type Download struct {
	screen screen
	now    func() time.Time
	name   string
	done   int64
	whole  bool
	start  time.Time // of this file
	next   time.Time // when the next redraw is due
}

// NewDownload makes a download bar. If t.Width is nil, t isn't a terminal, and only the lines are written.
func NewDownload(t Terminal) *Download {
	return &Download{screen: screen{Terminal: t}, now: time.Now}
}

// Update says how many bytes of a file have arrived. Fewer than before means that the file starts again. If the total isn't known,
// it is 0 or less, and the file gets no line at its end. Names are ASCII.
func (d *Download) Update(name string, done, total int64) {
	now := d.now()
	if name != d.name || done < d.done {
		d.name, d.start, d.next, d.whole = name, now, now, false
	}
	d.done = done
	elapsed := now.Sub(d.start)
	switch {
	case d.whole:
	case total > 0 && done >= total:
		d.whole = true
		d.Clear()
		d.screen.write(d.line(elapsed))
	case d.screen.Width != nil && !now.Before(d.next):
		d.next = now.Add(interval)
		d.screen.draw(d.layouts(total, elapsed))
	}
}

// Clear erases the bar. It is called before anything else is written to the terminal, and when a download fails.
func (d *Download) Clear() { d.screen.clear() }

func (d *Download) line(elapsed time.Duration) []byte {
	parts := []part{{value: d.name}, {value: size(float64(d.done))}, {value: seconds(elapsed.Seconds())}}
	return append(layout{2, parts}.append(nil, 0, d.screen.Color), '\n')
}

// layouts are the ways to show the file, from the widest to the narrowest.
func (d *Download) layouts(total int64, elapsed time.Duration) []layout {
	var (
		name        = []part{{value: d.name}}
		have        = []part{{value: size(float64(d.done))}}
		speed, left []part
	)
	perSecond := float64(d.done) / elapsed.Seconds()
	if elapsed > 0 {
		speed = []part{{value: size(perSecond) + "/s"}}
	}
	if total <= 0 {
		return []layout{
			{2, slices.Concat(name, have, speed)},
			{1, slices.Concat(name, have)},
			{1, have},
		}
	}
	if elapsed > 0 && d.done > 0 {
		left = []part{{value: clock(time.Duration(float64(total-d.done)/perSecond*1e9)) + " left"}}
	}
	g := &gauge{done: d.done, total: total, min: 10}
	bar := []part{{gauge: g}}
	percent := []part{{value: strconv.FormatInt(g.percent(), 10) + "%"}}
	have[0].value += " of " + size(float64(total))
	return []layout{
		{2, slices.Concat(name, percent, bar, have, speed, left)},
		{1, slices.Concat(name, percent, bar, have, speed)},
		{1, slices.Concat(name, percent, bar, have)},
		{1, slices.Concat(name, percent, bar)},
		{1, slices.Concat(name, percent)},
		{1, slices.Concat(percent, bar)},
		{1, percent},
	}
}
