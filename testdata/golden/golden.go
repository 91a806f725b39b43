// Package golden embeds the reference values that fmtrain check-layernorm holds the LayerNorm against. They come from Keras
// (TensorFlow.js, float32) and from PyTorch (float64 autograd); each file names its source.
package golden

import "embed"

// LayerNorm holds layernorm_keras.json and layernorm_torch.json.
//
//go:embed layernorm_*.json
var LayerNorm embed.FS
