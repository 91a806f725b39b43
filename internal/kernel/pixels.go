package kernel

//go:generate go run -C asm . -out ../pixels_amd64.s -stubs ../pixels_amd64_stubs.go -pkg kernel pixels

// Intensities sets each y to float32(pixel)/255, the pixel's value as a model sees it, rounded once.
func Intensities(y []float32, pixels []uint8) {
	check("Intensities", "y", len(y), len(pixels))
	active.intensities(y, pixels)
}

// intensity[p] is float32(p)/255.
var intensity = func() (t [256]float32) {
	for p := range t {
		t[p] = float32(p) / 255
	}
	return t
}()

// intensitiesGo looks the values up, four in each turn, because division would take longer.
func intensitiesGo(y []float32, pixels []uint8) {
	for ; len(pixels) >= 4; y, pixels = y[4:], pixels[4:] {
		from, to := (*[4]uint8)(pixels), (*[4]float32)(y)
		to[0] = intensity[from[0]]
		to[1] = intensity[from[1]]
		to[2] = intensity[from[2]]
		to[3] = intensity[from[3]]
	}
	for i, p := range pixels {
		y[i] = intensity[p]
	}
}
