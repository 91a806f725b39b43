package fashionmnist

import (
	"fmt"
	"math"
)

// scale makes values from 0 to 1 of the pixels of an image.
func scale(image []byte) []float32 {
	if len(image) != 784 {
		panic(fmt.Sprintf("fashionmnist: expected an image of 784 bytes, found %d", len(image)))
	}
	x := make([]float32, len(image))
	for i, pixel := range image {
		x[i] = float32(pixel) / 255
	}
	return x
}

// softmax makes probabilities of logits.
func softmax(logits [10]float32) (probabilities [10]float32) {
	largest := logits[0]
	for _, z := range logits {
		largest = max(largest, z)
	}
	var sum float64
	for _, z := range logits {
		sum += math.Exp(float64(z - largest))
	}
	for class, z := range logits {
		probabilities[class] = float32(math.Exp(float64(z-largest)) / sum)
	}
	return probabilities
}
