package fashionmnist

// window is a convolution of maps of height x width places with in channels: its window has the side size, its steps are stride places
// long, and pad zeros lie around the map.
type window struct{ height, width, in, size, stride, pad int }

// conv is a convolution. A map is [height, width, channels], row by row. The weight is [size, size, in, out].
func conv(x []float32, w window, weight, bias []float32) []float32 {
	out := len(bias)
	rows := (w.height+2*w.pad-w.size)/w.stride + 1
	columns := (w.width+2*w.pad-w.size)/w.stride + 1
	y := make([]float32, rows*columns*out)
	for row := range rows {
		for column := range columns {
			for o := range out {
				sum := float64(bias[o])
				for p := range w.size {
					for q := range w.size {
						i, j := row*w.stride+p-w.pad, column*w.stride+q-w.pad
						if i < 0 || i >= w.height || j < 0 || j >= w.width {
							continue
						}
						for c := range w.in {
							sum += float64(x[(i*w.width+j)*w.in+c]) * float64(weight[((p*w.size+q)*w.in+c)*out+o])
						}
					}
				}
				y[(row*columns+column)*out+o] = float32(sum)
			}
		}
	}
	return y
}
