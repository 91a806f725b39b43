//go:build !purego

package kernel

// The loops of a product go one of two ways. Both keep a tile of c in registers while k runs. Both take k in blocks, so that what a
// block reads stays in the caches; between the blocks, c holds the sums. A tile of AVX-512 has 14 rows of 32 columns.
//
// The way by blocks is Goto and van de Geijn's ("Anatomy of high-performance matrix multiplication", 2008) in the form of BLIS (Van
// Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality", 2015). Our matrices are row-major, so a and
// b change places:
//
//	for the columns of c, in blocks
//	    for k, in blocks
//	        pack the block of b, strip by strip     it fills up to half of the second cache
//	        for the rows of c, tile by tile
//	            pack the tile's rows of a, or not   they stay in the first cache
//	            for the strips of c
//	                compute the tile                it reads its strip of b from the second cache
//
// The way by strips is for few rows, where packing b takes longer than it saves, and for AVX2:
//
//	for k, in blocks
//	    for the strips of c
//	        pack the strip of b, or not             it stays in the first cache
//	        for the rows of c, tile by tile
//	            compute the tile                    it reads its rows of a from the second cache
//
// a is packed where the steps of k are many and each lies in a page of its own (dW = xᵀ·dy), and where the rows are a multiple of a
// page apart and so share few sets of the first cache. Elsewhere a is read where it is: packing it was measured to be slower.
//
// The sizes of the blocks follow from the caches of the processor. A strip of b and the tile's rows of a should fit the first cache.
// But a block of k has at least 256 steps, because c is read and written once for each block, and at most 512. This gives:
//
//	processor                          caches            steps of k and columns of b in a block
//	                                                     AVX2        AVX-512
//	Haswell to Coffee Lake             32 KB, 256 KB     372,  88
//	Zen to Zen 3                       32 KB, 512 KB     372, 176
//	Skylake-X, Zen 4                   32 KB,   1 MB     372, 352    256, 512
//	Zen 5                              48 KB,   1 MB     512, 256    267, 490
//	Ice Lake (server)                  48 KB, 1.25 MB    512, 320    267, 613
//	Sapphire Rapids                    48 KB,   2 MB     512, 512    267, 981
//
// Only Sapphire Rapids was measured. The limits below are the best on the shapes of BenchmarkProducts there.

// A blocking is how an instruction set takes a product apart.
type blocking struct {
	strips []stripKind // of the way by strips, from the narrowest
	blocks []stripKind // of the way by blocks, from the narrowest

	blockRows    int  // the rows of c from which the way by blocks may be the faster one
	blocksPacked bool // it is only where a is packed
	packedRows   int  // the rows of c from which the way by strips packs b

	packedDepth, inPlaceDepth int // the longest block of k on the way by strips, where b is packed and where it is not

	whole bool // the tiles read the rows of b whole, without a mask
	packA func(panel, a *float32, steps, aStep, panelRow, last int)
}

// A stripKind is the columns of c whose sums lie in some vectors beside each other.
type stripKind struct {
	columns int // at most
	least   int // columns, if a narrower strip is not to take their place
	lanes   int // columns of the last vector
	rows    int // of the tallest tile

	tiles func(c, a, b, start *float32, rows, tiles, k, aRow, aStep, aTile, bStep, bTile, cRow, cTile, startRow, startTile, last int)
	pack  func(panel, b *float32, steps, bStep, panelRow, last int)
}

const (
	lanes       = 8    // float32 values in a vector register of AVX2
	widestStrip = 32   // columns
	tallestTile = 14   // rows, on the way by blocks
	farRows     = 1024 // a distance in values, a page, at which values share few sets of the caches

	shortestDepth, longestDepth = 256, 512 // of a block of k, on the way by blocks
	largestB                    = 1 << 18  // values of a block of b
)

// A vector takes as long whether its columns are used or not, so the widest strips are taken only where they are nearly full. The
// low tiles of AVX2 read b so often that a strip of it should lie in the first cache. So AVX2 goes by blocks only where a is packed.
var (
	avx2Blocking = blocking{
		strips: []stripKind{
			{8, 1, 8, 12, tiles8AVX2, pack8AVX2},
			{16, 9, 8, 6, tiles16AVX2, pack16AVX2},
			{24, 24, 8, 4, tiles24AVX2, pack24AVX2},
		},
		blocks: []stripKind{
			{8, 1, 8, 12, tiles8AVX2, pack8AVX2},
			{16, 9, 8, 6, tiles16AVX2, pack16AVX2},
		},
		blockRows: 640, blocksPacked: true, packedRows: 128,
		packedDepth: 512, inPlaceDepth: 128,
		whole: true, packA: pack8AVX2,
	}
	avx512Strips = []stripKind{
		{8, 1, 8, 14, tiles8AVX512, pack8AVX512},
		{16, 9, 16, 14, tiles16AVX512, pack16AVX512},
		{32, 25, 16, 14, tiles32AVX512, pack32AVX512},
	}
	avx512Blocking = blocking{
		strips: avx512Strips, blocks: avx512Strips,
		blockRows: 192, packedRows: 512,
		packedDepth: 256, inPlaceDepth: 256,
		packA: pack16AVX512,
	}
)

// panels are packed parts of b and a. What is packed may be a strip too long, and end in part of a vector.
type panels struct {
	b [largestB + longestDepth*widestStrip]float32
	a [longestDepth*tallestTile + 2*lanes]float32
}

var panelPool = newScratch[panels]()

// zeros is a row that sums start from.
var zeros [widestStrip]float32

func productAVX2(c, a, b, start Matrix)   { avx2Blocking.product(c, a, b, start) }
func productAVX512(c, a, b, start Matrix) { avx512Blocking.product(c, a, b, start) }

// product is product for at least one row, column and term.
func (by *blocking) product(c, a, b, start Matrix) {
	packedA := packingPays(a, c.columns)
	if c.rows >= by.blockRows && (packedA || !by.blocksPacked && c.columns > widestStrip) {
		by.byBlocks(c, a, b, start, packedA)
	} else {
		by.byStrips(c, a, b, start)
	}
}

// packingPays says whether packing a saves more than it takes, for so many columns of c that read it.
func packingPays(a Matrix, columns int) bool {
	if a.column == 1 {
		return a.row%farRows == 0 && columns >= 256
	}
	return a.column%farRows == 0 && columns >= 128 || a.columns >= 100 && columns >= 200 || a.columns >= 512 && columns >= 100
}

// byBlocks goes the way by blocks.
func (by *blocking) byBlocks(c, a, b, start Matrix, packedA bool) {
	p := panelPool.get()
	defer panelPool.put(p)
	widest := &by.blocks[len(by.blocks)-1]
	longest := min(max(caches.first/4/(widest.columns+widest.rows), shortestDepth), longestDepth)
	depth := blockLength(a.columns, longest)
	wide := blockLength(c.columns, max(min(caches.second/2/4, largestB)/depth, widest.columns))
	wide = (wide + widest.columns - 1) / widest.columns * widest.columns
	for left := 0; left < c.columns; left += wide {
		n := min(wide, c.columns-left)
		sums, from := c.part(0, left, c.rows, n), start
		if start.values != nil {
			from.values = start.values[left:]
		}
		for l := 0; l < a.columns; l += depth {
			steps := min(depth, a.columns-l)
			if l > 0 {
				from = sums
			}
			by.block(p, sums, a.part(0, l, a.rows, steps), b.part(l, left, steps, n), from, packedA)
		}
	}
}

// block adds a block of k to a block of columns of c.
func (by *blocking) block(p *panels, c, a, b, start Matrix, packedA bool) {
	n, steps := c.columns, a.columns
	for left := 0; left < n; {
		kind, columns := nextStrip(by.blocks, n-left)
		kind.packStrip(p.b[left*steps:], b.values[left*b.column:], b.row, b.column, steps, columns)
		left += columns
	}
	top := 0
	for _, group := range shareRows(c.rows, by.blocks[len(by.blocks)-1].rows) {
		for range group.tiles {
			part := a.part(top, 0, group.height, steps)
			if packedA {
				part = by.packRows(p, part)
			}
			for left := 0; left < n; {
				kind, columns := nextStrip(by.blocks, n-left)
				tiles := max((n-left)/kind.columns, 1)
				from, fromRow, fromTile := zeros[:], 0, 0
				if start.values != nil {
					from, fromRow, fromTile = start.values[top*start.row+left:], start.row, columns
				}
				kind.tiles(&c.values[top*c.row+left], &part.values[0], &p.b[left*steps], &from[0], group.height, tiles, steps,
					4*part.row, 4*part.column, 0, 4*kind.columns, 4*kind.columns*steps, 4*c.row, 4*columns, 4*fromRow, 4*fromTile,
					kind.last(columns))
				left += columns * tiles
			}
			top += group.height
		}
	}
}

// byStrips goes the way by strips.
func (by *blocking) byStrips(c, a, b, start Matrix) {
	packB := b.column != 1 || c.rows >= by.packedRows || b.row >= farRows
	var p *panels
	if packB || by.whole {
		p = panelPool.get()
		defer panelPool.put(p)
	}
	depth := by.inPlaceDepth
	if packB {
		depth = by.packedDepth
	}
	depth = blockLength(a.columns, depth)
	for l := 0; l < a.columns; l += depth {
		steps := min(depth, a.columns-l)
		if l > 0 {
			start = c
		}
		for left := 0; left < c.columns; {
			kind, columns := nextStrip(by.strips, c.columns-left)
			from, fromRow := zeros[:], 0
			if start.values != nil {
				from, fromRow = start.values[left:], start.row
			}
			rows, bStep := b.values[l*b.row+left*b.column:], b.row
			if packB || by.whole && columns < kind.columns {
				kind.packStrip(p.b[:], rows, b.row, b.column, steps, columns)
				rows, bStep = p.b[:], kind.columns
			}
			top := 0
			for _, group := range shareRows(c.rows, kind.rows) {
				if group.tiles > 0 {
					kind.tiles(&c.values[top*c.row+left], &a.values[top*a.row+l*a.column], &rows[0], &from[top*fromRow],
						group.height, group.tiles, steps, 4*a.row, 4*a.column, 4*a.row*group.height, 4*bStep, 0,
						4*c.row, 4*c.row*group.height, 4*fromRow, 4*fromRow*group.height, kind.last(columns))
					top += group.height * group.tiles
				}
			}
			left += columns
		}
	}
}

// A tileGroup is some tiles of one height.
type tileGroup struct{ height, tiles int }

// shareRows shares the rows out evenly, so that no tile has few sums: to some tiles of one row more, and then the others.
func shareRows(rows, tallest int) [2]tileGroup {
	tiles := (rows + tallest - 1) / tallest
	return [2]tileGroup{{rows/tiles + 1, rows % tiles}, {rows / tiles, tiles - rows%tiles}}
}

// nextStrip is the strip to take when so many columns are left, and its columns.
func nextStrip(kinds []stripKind, left int) (*stripKind, int) {
	i := len(kinds) - 1
	for left < kinds[i].least {
		i--
	}
	return &kinds[i], min(kinds[i].columns, left)
}

// last is the columns of the last vector, if the strip has so many.
func (s *stripKind) last(columns int) int { return columns - s.columns + s.lanes }

// packStrip copies some steps of a strip of b to the panel, row after row. b lies in rows or in columns.
func (s *stripKind) packStrip(panel, b []float32, row, column, steps, columns int) {
	if column == 1 {
		s.pack(&panel[0], &b[0], steps, row, s.columns, s.last(columns))
	} else {
		transpose(panel, b, column, columns, steps, s.columns)
	}
}

// packRows copies the rows of a tile so that what a step takes lies side by side. A whole vector is written each time: what it
// has too much is overwritten by the next step, or, from columns in one piece, by the columns on the left.
func (by *blocking) packRows(p *panels, a Matrix) Matrix {
	if a.column != 1 {
		by.packA(&p.a[0], &a.values[0], a.columns, a.column, a.rows, a.rows)
	} else {
		for top := (a.rows - 1) / lanes * lanes; top >= 0; top -= lanes {
			transpose(p.a[top:], a.values[top*a.row:], a.row, min(lanes, a.rows-top), a.columns, a.rows)
		}
	}
	return Matrix{p.a[:], a.rows, a.columns, 1, a.rows}
}

// transpose copies columns, each of which lies in one piece, to rows of so many values.
func transpose(panel, values []float32, column, columns, steps, width int) {
	if steps >= lanes {
		transposeAVX2(&panel[0], &values[0], steps, column, columns, width)
		return
	}
	for j := range columns {
		for l, v := range values[j*column:][:steps] {
			panel[l*width+j] = v
		}
	}
}
