package kernel

// A scratch lends pieces of working memory, each to one call at a time. Unlike a sync.Pool it keeps them at a garbage collection, so a
// piece is allocated only once.
type scratch[T any] chan *T

// newScratch keeps up to 64 pieces, more than are usually needed at once. Further pieces are allocated and dropped.
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
