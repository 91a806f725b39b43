package fashionmnist

// pool makes one value of each window of rows x columns places, for each channel: the mean, or the largest value. The windows lie side by
// side. A map is [height, width, channels].
func pool(x []float32, height, width, channels, rows, columns int, mean bool) []float32 {
	var y []float32
	for top := 0; top+rows <= height; top += rows {
		for left := 0; left+columns <= width; left += columns {
			for c := range channels {
				largest, sum := x[(top*width+left)*channels+c], 0.0
				for i := range rows {
					for j := range columns {
						v := x[((top+i)*width+left+j)*channels+c]
						largest = max(largest, v)
						sum += float64(v)
					}
				}
				if mean {
					largest = float32(sum / float64(rows*columns))
				}
				y = append(y, largest)
			}
		}
	}
	return y
}
