package kernel

// A scratch lends out working memory, each piece to one call at a time. Unlike a sync.Pool it forgets nothing at a garbage
// collection, so that what is lent one after the other is allocated once.
type scratch[T any] chan *T

// newScratch keeps as many pieces as processors are likely to ask for at once; further ones are allocated and let go.
func newScratch[T any]() scratch[T] { return make(scratch[T], 64) }

func (s scratch[T]) get() *T {
	select {
	case piece := <-s:
		return piece
	default:
		return new(T)
	}
}

func (s scratch[T]) put(piece *T) {
	select {
	case s <- piece:
	default:
	}
}
