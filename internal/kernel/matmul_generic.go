package kernel

// The plain product takes tiles of 2 by 3 entries of c: of the shapes whose sums, products and factors fit 16 registers this
// one is among the fastest of twenty that were tried. The rows of a and the columns of b are packed first, in the order in which
// the tiles read them.
const (
	goTileRows, goTileColumns = 2, 3
	goDepth                   = 256 // the longest block of k
	goRows                    = 128 // the rows of a block of a, for which a strip of b is packed once
)

// goPanels are a block of a and a strip of b. What they lack to whole tiles is computed with whatever is there, and left out.
type goPanels struct {
	a [goRows / goTileRows][goDepth][goTileRows]float32
	b [goDepth][goTileColumns]float32
}

var goPanelPool = newScratch[goPanels]()

// productGo is product in plain Go, for at least one row, column and term.
func productGo(c, a, b, start Matrix) {
	p := goPanelPool.get()
	defer goPanelPool.put(p)
	depth := blockLength(a.columns, goDepth)
	for l := 0; l < a.columns; l += depth {
		steps := min(depth, a.columns-l)
		if l > 0 {
			start = c
		}
		for top := 0; top < c.rows; top += goRows {
			rows := min(goRows, c.rows-top)
			p.packA(a.part(top, l, rows, steps))
			for left := 0; left < c.columns; left += goTileColumns {
				columns := min(goTileColumns, c.columns-left)
				p.packB(b.part(l, left, steps, columns))
				for i := 0; i < rows; i += goTileRows {
					var sums goTile
					height := min(goTileRows, rows-i)
					if start.values != nil {
						for r := range height {
							copy(sums[r][:columns], start.values[(top+i+r)*start.row+left:])
						}
					}
					sums.add(p.a[i/goTileRows][:steps], p.b[:steps])
					for r := range height {
						row := c.values[(top+i+r)*c.row+left:]
						if columns == goTileColumns { // an array is copied without a call
							*(*[goTileColumns]float32)(row) = sums[r]
						} else {
							copy(row, sums[r][:columns])
						}
					}
				}
			}
		}
	}
}

// packA packs the rows of a, tile by tile.
func (p *goPanels) packA(a Matrix) {
	for i := range a.rows {
		tile, x := &p.a[i/goTileRows], a.values[i*a.row:]
		for l := range a.columns {
			tile[l][i%goTileRows] = x[l*a.column]
		}
	}
}

// packB packs the columns of b.
func (p *goPanels) packB(b Matrix) {
	for j := range b.columns {
		x := b.values[j*b.column:]
		for l := range b.rows {
			p.b[l][j] = x[l*b.row]
		}
	}
}

// A goTile is some entries of c.
type goTile [goTileRows][goTileColumns]float32

// add adds the products of the packed rows of a and columns of b.
func (t *goTile) add(a [][goTileRows]float32, b [][goTileColumns]float32) {
	c00, c01, c02 := t[0][0], t[0][1], t[0][2]
	c10, c11, c12 := t[1][0], t[1][1], t[1][2]
	a = a[:len(b)]
	for l := range b {
		x, y := &a[l], &b[l]
		c00 += float32(x[0] * y[0])
		c10 += float32(x[1] * y[0])
		c01 += float32(x[0] * y[1])
		c11 += float32(x[1] * y[1])
		c02 += float32(x[0] * y[2])
		c12 += float32(x[1] * y[2])
	}
	*t = goTile{{c00, c01, c02}, {c10, c11, c12}}
}
