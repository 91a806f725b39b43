package layernorm

import (
	"gorgonia.org/gorgonia"
)

// Composite is LayerNorm of a matrix, x, α and β, built of Gorgonia's own nodes, to be differentiated by Gorgonia's own rules:
// what the hand-written op replaces.
func Composite(form Form, epsilon float32) func(gorgonia.Nodes) (*gorgonia.Node, error) {
	return func(in gorgonia.Nodes) (*gorgonia.Node, error) {
		x, alpha, beta := in[0], in[1], in[2]
		eps := gorgonia.NodeFromAny(x.Graph(), epsilon, gorgonia.WithName("epsilon"))
		chain := &chain{}
		mean := chain.do(gorgonia.Mean(x, 1))
		centred := chain.do(gorgonia.BroadcastSub(x, mean, nil, []byte{1}))
		variance := chain.do(gorgonia.Mean(chain.do(gorgonia.Square(centred)), 1))
		var scale *gorgonia.Node
		if form == Keras {
			scale = chain.do(gorgonia.Sqrt(chain.do(gorgonia.Add(variance, eps))))
		} else {
			scale = chain.do(gorgonia.Add(chain.do(gorgonia.Sqrt(variance)), eps))
		}
		xHat := chain.do(gorgonia.BroadcastHadamardDiv(centred, scale, nil, []byte{1}))
		scaled := chain.do(gorgonia.BroadcastHadamardProd(xHat, alpha, nil, []byte{0}))
		y := chain.do(gorgonia.BroadcastAdd(scaled, beta, nil, []byte{0}))
		return y, chain.err
	}
}

// chain keeps the first error of a sequence of node constructions.
type chain struct{ err error }

func (c *chain) do(n *gorgonia.Node, err error) *gorgonia.Node {
	if c.err == nil {
		c.err = err
	}
	return n
}
