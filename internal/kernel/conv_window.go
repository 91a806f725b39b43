package kernel

// A correlation is a window that moves over maps: what Forward, InputGrad and WeightGrad have in common.
type correlation struct {
	height, width, channels int // of the maps that are read
	rows, columns           int // of the window
	stride                  int
	top, left               int // the place of a map at the window's first place when it begins; what lies beside the map is 0
	down, across            int // the places of the window

	// For Forward and InputGrad: where the sums of the first place go, and the distances to those of the next one; the weights.
	toFirst, toDown, toAcross, toImage int
	weights                            windowWeights
}

// windowWeights are weights [k, k, in, out], and which of them are in a window: those from a first row and column on, some step apart. If
// they are transposed, the window's products run over out.
type windowWeights struct {
	values      []float32
	k, in, out  int
	row, column int
	step        int
	transposed  bool
}

// at is the weights of a place of the window, a matrix of one row for each channel that is read.
func (w *windowWeights) at(row, column int) Matrix {
	row, column = w.row+row*w.step, w.column+column*w.step
	x := rowMajor(w.values[(row*w.k+column)*w.in*w.out:], w.in, w.out)
	if w.transposed {
		return x.T()
	}
	return x
}

// made is the channels that a window makes.
func (w *windowWeights) made() int {
	if w.transposed {
		return w.in
	}
	return w.out
}

// A gathered product sets c = start + a·b, or adds it to c, where the rows of a and c lie anywhere in memory. The terms of a row of a lie
// in segments, at the same distances from the begin of each row. In y and dx, a row of a is a window, and a segment is a row of that
// window. In dw, a row of a is a place of the window and a channel, wherever the window is, and a segment is a row of places.
type gathered struct {
	a        []float32
	places   []place // of the rows
	segments []int   // where each segment begins, from the begin of the row
	steps    int     // terms of a segment
	step     int     // from a term to the next

	c     []float32
	start []float32 // one row that all rows start from; nil is 0
	add   bool      // adds the sums to c
}

// convKernels are an instruction set's way to compute gathered products.
type convKernels struct {
	packWeights func(panel []float32, w *correlation, left, columns int)         // a block of columns of the weights of a window
	windows     func(g *gathered, weights []float32, columns int)                // with packed weights
	gather      func(products []gathered, b Matrix, left, right int)             // with the columns [left,right) of one b
	copyColumns func(panel, values *float32, steps, step, panelRow, columns int) // copies steps rows of up to 8 columns; it may write 8
}

// convKernelsInUse are those of the instruction set in use.
func convKernelsInUse() *convKernels {
	if active.conv != nil {
		return active.conv
	}
	return &plainConv
}

// A place is where a row of a and a row of c begin.
type place struct{ a, c int }

func (g *gathered) terms() int { return len(g.segments) * g.steps }

// convScratch is the working memory of a convolution.
type convScratch struct {
	window   correlation
	products []gathered
	maps     []float32
	groups   []float32
	weights  []float32
	places   []place
	segments []int
	sums     []float32
}

var convScratches = newScratch[convScratch]()

// release puts the memory back. It keeps nothing of the caller's.
func (s *convScratch) release() {
	s.window = correlation{}
	clear(s.products)
	convScratches.put(s)
}

// grown is the slice, or a new one if it is too short.
func grown(x []float32, length int) []float32 {
	if len(x) >= length {
		return x
	}
	return make([]float32, length)
}

const (
	weightBlock = 1 << 18 // values of packed weights, if a strip of columns is not longer
	bandValues  = 1 << 15 // values of a band of maps, a quarter of a second cache of 512 KB
	bandPlaces  = 1 << 11 // and the places of the window in it
)

// A band is the places of a window in some whole images, or in some rows of one.
type band struct{ image, images, row, rows int }

// bandSize is the images, or the rows, of a band that stays in the second cache.
func (w *correlation) bandSize(images int) (int, int) {
	row := ((w.across-1)*w.stride + w.columns) * w.channels
	one := ((w.down-1)*w.stride + w.rows) * row
	if n := min(bandValues/one, bandPlaces/(w.down*w.across), images); n > 0 {
		return n, w.down
	}
	rows := min((bandValues/row-w.rows)/w.stride+1, bandPlaces/w.across)
	return 1, blockLength(w.down, max(rows, 1))
}

// laid are the maps of a band where a window can read all its places, and the distances from a row, and from an image, to the next.
type laid struct {
	values     []float32
	row, image int
}

// lay finds the maps of a band: in x itself if the window stays within its maps, or else in a copy with zeros around.
func (s *convScratch) lay(x []float32, b band) laid {
	w := &s.window
	rows, columns := (b.rows-1)*w.stride+w.rows, (w.across-1)*w.stride+w.columns
	top := w.top + b.row*w.stride
	m := laid{row: w.width * w.channels, image: w.height * w.width * w.channels}
	if top >= 0 && w.left >= 0 && top+rows <= w.height && w.left+columns <= w.width {
		m.values = x[b.image*m.image+top*m.row+w.left*w.channels:]
		return m
	}
	from := m
	m.row = columns * w.channels
	m.image = rows * m.row
	s.maps = grown(s.maps, max(b.images*m.image, bandValues))
	m.values = s.maps
	first := max(w.left, 0)
	within := max(min(w.left+columns, w.width)-first, 0) * w.channels
	before := min((first-w.left)*w.channels, m.row)
	for image := range b.images {
		for i := range rows {
			to := m.values[image*m.image+i*m.row:][:m.row]
			if i+top < 0 || i+top >= w.height || within == 0 {
				clear(to)
				continue
			}
			clear(to[:before])
			copy(to[before:before+within], x[(b.image+image)*from.image+(i+top)*from.row+first*w.channels:])
			clear(to[before+within:])
		}
	}
	return m
}

// run sets y to the sums of all places of the window.
func (s *convScratch) run(y, x, start []float32, images int) {
	w, kernels := &s.window, convKernelsInUse()
	terms, made := w.rows*w.columns*w.channels, w.weights.made()
	wide := max(weightBlock/terms/convStrip, 1) * convStrip
	s.weights = grown(s.weights, max(terms*wide, weightBlock))
	bandImages, bandRows := w.bandSize(images)
	for left := 0; left < made; left += wide {
		n := min(wide, made-left)
		kernels.packWeights(s.weights, w, left, n)
		for image := 0; image < images; image += bandImages {
			for row := 0; row < w.down; row += bandRows {
				b := band{image, min(bandImages, images-image), row, min(bandRows, w.down-row)}
				s.windows(x, b)
				g := &s.products[0]
				g.c = y[w.toFirst+left:]
				if start != nil {
					g.start = start[left:]
				}
				kernels.windows(g, s.weights, n)
			}
		}
	}
}

// convStrip is a multiple of the columns of every strip of packed weights.
const convStrip = 32

// windows makes the places of the window in a band the rows of a product.
func (s *convScratch) windows(x []float32, b band) {
	w, m := &s.window, s.lay(x, b)
	s.places, s.segments = s.places[:0], s.segments[:0]
	for image := range b.images {
		for row := range b.rows {
			a := image*m.image + row*w.stride*m.row
			c := (b.image+image)*w.toImage + (b.row+row)*w.toDown
			for column := range w.across {
				s.places = append(s.places, place{a + column*w.stride*w.channels, c + column*w.toAcross})
			}
		}
	}
	for row := range w.rows {
		s.segments = append(s.segments, row*m.row)
	}
	s.products = append(s.products[:0], gathered{a: m.values, places: s.places, segments: s.segments, steps: w.columns * w.channels, step: 1})
}

// channelGroup is the channels of a map that lie side by side when its values are terms of dw.
const channelGroup = 8

// weightRows makes the rows [top,bottom) of dw, which is made wide, the rows of products, whose terms are the places of the window in a
// band. A row reads one channel of a map, so the channels of a map are copied in groups, each of which is a map of its own: otherwise
// the terms would lie far apart, and share few sets of the first cache. Where each value is a term of one row only, it would not pay.
func (s *convScratch) weightRows(x []float32, b band, dw []float32, wide, top, bottom int) {
	w, m := &s.window, s.lay(x, b)
	s.products, s.places, s.segments = s.products[:0], s.places[:0], s.segments[:0]
	copyColumns := convKernelsInUse().copyColumns
	if copyColumns == nil || w.channels < channelGroup || w.rows*w.columns == 1 {
		s.weightRowsOf(m, b, 0, w.channels, dw, wide, top, bottom)
		return
	}
	rows, columns := (b.rows-1)*w.stride+w.rows, (w.across-1)*w.stride+w.columns
	s.groups = grown(s.groups, b.images*rows*columns*w.channels+channelGroup)
	rest := s.groups
	for channel := 0; channel < w.channels; channel += channelGroup {
		n := min(channelGroup, w.channels-channel)
		group := laid{rest, columns * n, rows * columns * n}
		for image := range b.images {
			for row := range rows {
				from, to := m.values[image*m.image+row*m.row+channel:], group.values[image*group.image+row*group.row:]
				copyColumns(&to[0], &from[0], columns, w.channels, n, n)
			}
		}
		s.weightRowsOf(group, b, channel, n, dw, wide, top, bottom)
		rest = rest[b.images*group.image:]
	}
}

// weightRowsOf adds a product for n channels, from the given one on, whose maps are m.
func (s *convScratch) weightRowsOf(m laid, b band, channel, n int, dw []float32, wide, top, bottom int) {
	w, firstPlace, firstSegment := &s.window, len(s.places), len(s.segments)
	for row := range w.rows {
		for column := range w.columns {
			for i := range n {
				if to := (row*w.columns+column)*w.channels + channel + i; to >= top && to < bottom {
					s.places = append(s.places, place{row*m.row + column*n + i, to * wide})
				}
			}
		}
	}
	for image := range b.images {
		for row := range b.rows {
			s.segments = append(s.segments, image*m.image+row*w.stride*m.row)
		}
	}
	s.products = append(s.products, gathered{a: m.values, places: s.places[firstPlace:], segments: s.segments[firstSegment:],
		steps: w.across, step: w.stride * n, c: dw, add: true})
}
