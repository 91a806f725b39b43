package vm

// Waits is the number of times in a run that all members of a team wait for each other.
func (m *Static) Waits() (n int) {
	for _, l := range m.levels {
		if len(l.parallel) > 0 {
			n++
		}
	}
	return n
}
