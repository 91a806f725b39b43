package kernel

//go:generate go run -C asm . -out ../pool_amd64.s -stubs ../pool_amd64_stubs.go -pkg kernel pool

// Pool is pooling of maps [height, width, channels]: windows that lie side by side give one value for each channel. The rows and columns
// at the lower and the right border that fill no window are dropped. The channels of a place lie side by side, so the assembly
// computes many of them at once.
type Pool struct{ Height, Width, Channels, WindowHeight, WindowWidth int }

// Windows is the number of windows of a map.
func (p Pool) Windows() int { return (p.Height / p.WindowHeight) * (p.Width / p.WindowWidth) }

// Max sets y to the largest value of each channel in each window of the maps x. If one of the values is NaN, so is the result.
// y is [images, windows, channels].
func (p Pool) Max(y, x []float32) {
	p.check("Pool.Max", len(x), "y", len(y))
	p.eachRow(len(x), func(from, to int) {
		active.maxPool(y[to:to+p.values()], x[from:], p.Channels, p.WindowHeight, p.WindowWidth, p.Width*p.Channels)
	})
}

// MaxGrad sets dx to the gradient of x, from dy and the y of [Pool.Max]. The gradient of a largest value goes to its first place in the
// window, row by row. The gradient of a NaN goes to the first place of the window.
func (p Pool) MaxGrad(dx, dy, x, y []float32) {
	p.check("Pool.MaxGrad", len(x), "y", len(y))
	p.check("Pool.MaxGrad", len(dx), "dy", len(dy))
	check("Pool.MaxGrad", "dx", len(dx), len(x))
	p.clearBorder(dx)
	p.eachRow(len(x), func(from, to int) {
		windows := to + p.values()
		active.maxPoolGrad(dx[from:], dy[to:windows], x[from:], y[to:windows], p.Channels, p.WindowHeight, p.WindowWidth, p.Width*p.Channels)
	})
}

// Mean sets y to the mean of each channel in each window of the maps x. y is [images, windows, channels].
func (p Pool) Mean(y, x []float32) {
	p.check("Pool.Mean", len(x), "y", len(y))
	count := float32(p.WindowHeight * p.WindowWidth)
	p.eachRow(len(x), func(from, to int) {
		active.meanPool(y[to:to+p.values()], x[from:], p.Channels, p.WindowHeight, p.WindowWidth, p.Width*p.Channels, count)
	})
}

// MeanGrad sets dx to the gradient of the x of [Pool.Mean]: each value of a window gets the same share of dy.
func (p Pool) MeanGrad(dx, dy []float32) {
	p.check("Pool.MeanGrad", len(dx), "dy", len(dy))
	p.clearBorder(dx)
	count := float32(p.WindowHeight * p.WindowWidth)
	p.eachRow(len(dx), func(from, to int) {
		active.meanPoolGrad(dx[from:], dy[to:to+p.values()], p.Channels, p.WindowHeight, p.WindowWidth, p.Width*p.Channels, count)
	})
}

// values is how many values a row of windows gives.
func (p Pool) values() int { return p.Width / p.WindowWidth * p.Channels }

// eachRow calls do for each row of windows, with the place of its first value in the maps and the place of its first result.
func (p Pool) eachRow(size int, do func(from, to int)) {
	row, to := p.Width*p.Channels, 0
	for image := 0; image < size; image += p.Height * row {
		for top := 0; top+p.WindowHeight <= p.Height; top += p.WindowHeight {
			do(image+top*row, to)
			to += p.values()
		}
	}
}

// clearBorder zeros dx if some of its values are in no window.
func (p Pool) clearBorder(dx []float32) {
	if p.Height%p.WindowHeight != 0 || p.Width%p.WindowWidth != 0 {
		clear(dx)
	}
}

// check panics unless x is whole maps and the results are as many as their windows have.
func (p Pool) check(function string, x int, slice string, results int) {
	size := p.Height * p.Width * p.Channels
	check(function, "x modulo the size of a map", x%size, 0)
	check(function, slice, results, x/size*p.Windows()*p.Channels)
}

// The kernels take a row of windows of height x width places. In x, next values lie between a place and the place below it.

func maxPoolGo(y, x []float32, channels, height, width, next int) {
	for ; len(y) > 0; y = y[channels:] {
		copy(y[:channels], x)
		for row := range height {
			for column := range width {
				for c, v := range x[row*next+column*channels:][:channels] {
					if v > y[c] || v != v {
						y[c] = v
					}
				}
			}
		}
		x = x[min(width*channels, len(x)):]
	}
}

func maxPoolGradGo(dx, dy, x, y []float32, channels, height, width, next int) {
	for ; len(y) > 0; y, dy = y[channels:], dy[channels:] {
		for c, largest := range y[:channels] {
			left := dy[c]
			for row := range height {
				for column := range width {
					at := row*next + column*channels + c
					dx[at] = 0
					if !(x[at] < largest) {
						dx[at], left = left, 0
					}
				}
			}
		}
		dx, x = dx[min(width*channels, len(dx)):], x[min(width*channels, len(x)):]
	}
}

func meanPoolGo(y, x []float32, channels, height, width, next int, count float32) {
	for ; len(y) > 0; y = y[channels:] {
		clear(y[:channels])
		for row := range height {
			for column := range width {
				for c, v := range x[row*next+column*channels:][:channels] {
					y[c] += v
				}
			}
		}
		for c := range channels {
			y[c] /= count
		}
		x = x[min(width*channels, len(x)):]
	}
}

func meanPoolGradGo(dx, dy []float32, channels, height, width, next int, count float32) {
	for ; len(dy) > 0; dy = dy[channels:] {
		for row := range height {
			for column := range width {
				to := dx[row*next+column*channels:][:channels]
				for c, d := range dy[:channels] {
					to[c] = d / count
				}
			}
		}
		dx = dx[min(width*channels, len(dx)):]
	}
}
