//go:build !purego

package kernel

// A blocking is how an instruction set takes a product apart.
type blocking struct {
	strips []stripKind // by their width, from the narrowest

	packedRows   int  // the rows of c from which packing b takes less time than it saves
	inPlaceDepth int  // the longest block of k where b is not packed, as simdDepth where it is
	whole        bool // the strips read the rows of b whole, without a mask
}

// A stripKind is the columns of c whose sums lie in some vectors beside each other.
type stripKind struct {
	columns int // at most
	least   int // columns, if a narrower strip is not to take their place
	lanes   int // columns of the last vector
	rows    int // of the tallest tile

	run  func(c, a, b, start *float32, rows, tiles, k, aRow, aStep, bStep, cRow, startRow, last int)
	pack func(panel, b *float32, steps, bStep, last int)
}

const (
	lanes       = 8    // float32 values in a vector register of AVX2
	widestStrip = 32   // columns
	simdDepth   = 784  // the longest block of k: a strip of b is 100 KB, and stays in the second cache
	farRows     = 1024 // a distance of b's rows, a page, from which packing always pays: they share few sets of the caches
)

// The blockings are the fastest on the shapes of BenchmarkProducts. A vector takes as long whether its columns are used or not,
// so the widest strips are taken only where they are nearly full. The low tiles of AVX2 read b so often that a strip of it has
// to stay in the first cache, unless it is packed and the vectors lie as they do in the cache.
var (
	avx2Blocking = blocking{[]stripKind{
		{8, 1, 8, 12, strip8AVX2, pack8AVX2},
		{16, 9, 8, 6, strip16AVX2, pack16AVX2},
		{24, 24, 8, 4, strip24AVX2, pack24AVX2},
	}, 128, 128, true}
	avx512Blocking = blocking{[]stripKind{
		{8, 1, 8, 11, strip8AVX512, pack8AVX512},
		{16, 9, 16, 11, strip16AVX512, pack16AVX512},
		{32, 25, 16, 11, strip32AVX512, pack32AVX512},
	}, 512, simdDepth, false}
)

// A stripPanel is a strip of b, row after row, or the transpose of one.
type stripPanel [simdDepth * widestStrip]float32

var stripPanels = newScratch[stripPanel]()

// zeros is a row that sums start from.
var zeros [widestStrip]float32

func productAVX2(c, a, b, start Matrix)   { avx2Blocking.product(c, a, b, start) }
func productAVX512(c, a, b, start Matrix) { avx512Blocking.product(c, a, b, start) }

// product is product for at least one row, column and term.
//
// c is computed in strips of 1 to 3 vectors of columns, each from the top to the bottom in tiles. The strips read a where it
// is, whichever way it lies, and b too where that serves; otherwise a strip of b is copied to the panel first.
func (by *blocking) product(c, a, b, start Matrix) {
	panel := stripPanels.get()
	defer stripPanels.put(panel)
	m := c.rows
	transposed := b.column != 1
	packed := !transposed && (m >= by.packedRows || b.row >= farRows)
	depth := blockLength(a.columns, simdDepth)
	if !transposed && !packed {
		depth = blockLength(a.columns, by.inPlaceDepth)
	}
	for l := 0; l < a.columns; l += depth {
		steps := min(depth, a.columns-l)
		if l > 0 {
			start = c
		}
		for left := 0; left < c.columns; {
			kind := by.next(c.columns - left)
			columns := min(kind.columns, c.columns-left)
			last := columns - kind.columns + kind.lanes

			from, fromRow := zeros[:], 0
			if start.values != nil {
				from, fromRow = start.values[left:], start.row
			}
			rows, bStep := b.values[l*b.row+left*b.column:], b.row
			switch {
			case transposed:
				panel.transpose(rows, b.column, columns, steps, kind.columns)
				rows, bStep = panel[:], kind.columns
			case packed, by.whole && last < kind.lanes:
				kind.pack(&panel[0], &rows[0], steps, b.row, last)
				rows, bStep = panel[:], kind.columns
			}
			// The rows are shared out evenly, so that no tile has few sums: to some tiles of one row more, and then the others.
			tiles := (m + kind.rows - 1) / kind.rows
			top := 0
			for _, group := range [2]struct{ height, tiles int }{{m/tiles + 1, m % tiles}, {m / tiles, tiles - m%tiles}} {
				if group.tiles == 0 {
					continue
				}
				kind.run(&c.values[top*c.row+left], &a.values[top*a.row+l*a.column], &rows[0], &from[top*fromRow],
					group.height, group.tiles, steps, a.row, a.column, bStep, c.row, fromRow, last)
				top += group.height * group.tiles
			}
			left += columns
		}
	}
}

// next is the strip to take when so many columns are left.
func (by *blocking) next(columns int) *stripKind {
	i := len(by.strips) - 1
	for columns < by.strips[i].least {
		i--
	}
	return &by.strips[i]
}

// transpose copies columns, each of which lies in one piece, to rows of so many values.
func (p *stripPanel) transpose(values []float32, column, columns, steps, width int) {
	if steps >= lanes {
		transposeAVX2(&p[0], &values[0], steps, column, columns, width)
		return
	}
	for j := range columns {
		for l, v := range values[j*column:][:steps] {
			p[l*width+j] = v
		}
	}
}
