package vm

// Levels is the number of times that all members of a team wait for each other.
func (m *Static) Levels() int { return len(m.levels) }
