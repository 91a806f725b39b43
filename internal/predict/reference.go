package predict

import (
	"math"
	"slices"

	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
)

// The reference of what the training images look like.
const (
	block     = 2 // pixels in a row that are averaged
	edge      = dataset.Rows / block
	features  = edge * edge
	ridge     = 1e-3  // added to each variance: pixels of the corners hardly vary
	mostFit   = 5_000 // images that the covariance is computed from: more change nothing
	mostHeld  = 1_000 // images that the limit is computed from
	LeastSeen = 500   // fewer images are no reference
	within    = 0.99  // of the held-out images are within the limit
)

// Reference knows how far an image is from the training images: by the Mahalanobis distance (Mahalanobis 1936) of its means over blocks of
// 2x2 pixels from the mean training image,
//
//	d² = (x − μ)ᵀ (Σ + λI)⁻¹ (x − μ)
//
// where Σ is the covariance. So a pixel counts for much where the training images hardly differ, as in the corners, and it counts how
// pixels vary together. Distances are given in units of the limit. 99 % of training images that μ and Σ were not computed from are
// within it.
type Reference struct {
	mean   []float64
	factor []float64 // L of Σ + λI = LLᵀ, row by row
	limit  float64
}

// NewReference computes the reference from training images, a sixth of which are held out for the limit; nil if there are too few. It
// takes images from all over the set.
func NewReference(set *dataset.Set) *Reference {
	n := set.Len()
	if n < LeastSeen {
		return nil
	}
	take := min(n, mostFit+mostHeld)
	var fit, held [][]float64
	for i := range take {
		row := i * n / take
		x := pool(set.Images[row*dataset.Pixels : (row+1)*dataset.Pixels])
		if i%6 == 5 {
			held = append(held, x)
		} else {
			fit = append(fit, x)
		}
	}
	r := &Reference{mean: meanOf(fit), limit: 1}
	r.factor = cholesky(covariance(fit, r.mean))
	distances := make([]float64, len(held))
	for i, x := range held {
		distances[i] = r.distance(x)
	}
	slices.Sort(distances)
	r.limit = max(distances[int(within*float64(len(distances)))], math.SmallestNonzeroFloat32) // 0 if all images are equal
	return r
}

// Distance is how far an image is from the training images; above 1 it is unlike them.
func (r *Reference) Distance(pixels []uint8) float64 { return r.distance(pool(pixels)) }

// distance solves Lz = x − μ; then d is the norm of z.
func (r *Reference) distance(x []float64) float64 {
	z := make([]float64, features)
	var squares float64
	for i := range z {
		row := r.factor[i*features : i*features+i+1]
		z[i] = (x[i] - r.mean[i] - dot(row[:i], z)) / row[i]
		squares += float64(z[i] * z[i])
	}
	return math.Sqrt(squares) / r.limit
}

// pool is the means of an image's blocks, from 0 to 1.
func pool(pixels []uint8) []float64 {
	x := make([]float64, features)
	for i, v := range pixels {
		x[i/dataset.Cols/block*edge+i%dataset.Cols/block] += float64(v)
	}
	for i := range x {
		x[i] /= 255 * block * block
	}
	return x
}

func meanOf(rows [][]float64) []float64 {
	mean := make([]float64, features)
	for _, x := range rows {
		for i, v := range x {
			mean[i] += v
		}
	}
	for i := range mean {
		mean[i] /= float64(len(rows))
	}
	return mean
}

// covariance is Σ + λI, row by row: the mean of (x − μ)(x − μ)ᵀ. The products are float32; those of some rows at a time are added in
// float64.
func covariance(rows [][]float64, mean []float64) []float64 {
	const most = 256 // rows at a time
	c, x, sum := make([]float64, features*features), make([]float32, most*features), make([]float32, features*features)
	for part := range slices.Chunk(rows, most) {
		for r, row := range part {
			for i, v := range row {
				x[r*features+i] = float32(v - mean[i])
			}
		}
		centred := kernel.RowMajor(x[:len(part)*features], len(part), features)
		kernel.Gemm(kernel.RowMajor(sum, features, features), centred.T(), centred, 1, 0)
		for i, v := range sum {
			c[i] += float64(v)
		}
	}
	for i := range c {
		c[i] /= float64(len(rows))
	}
	for i := range features {
		c[i*features+i] += ridge
	}
	return c
}

// cholesky replaces a positive definite matrix by its factor L, in the lower triangle.
func cholesky(c []float64) []float64 {
	for i := range features {
		row := c[i*features : i*features+i+1]
		for j := range row {
			above := c[j*features : j*features+j+1]
			rest := row[j] - dot(row[:j], above)
			if i == j {
				row[j] = math.Sqrt(rest)
			} else {
				row[j] = rest / above[j]
			}
		}
	}
	return c
}

// dot is the sum of the products of a and as many values of b.
func dot(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}
