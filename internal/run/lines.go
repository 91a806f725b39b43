package run

import (
	"bufio"
	"errors"
	"io"
)

// longestLine is the maximum length of a line of metrics.jsonl in bytes. The longest line that is written, with the settings, has a few
// KiB.
const longestLine = 1 << 20

// usualLine is a length that no line exceeds which the program writes today.
const usualLine = 64 << 10

// eachLine calls visit with each line, its end included. It skips a line that is too long, and a last one without an end: the
// process died in the middle of it. The line is valid until visit returns. The size of the file only limits the memory.
func eachLine(r io.Reader, size int64, visit func(line []byte) error) error {
	lines := bufio.NewReaderSize(r, int(min(longestLine, max(size, usualLine))))
	tooLong := false // the current line
	for {
		piece, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			tooLong = true
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case tooLong:
			tooLong = false // this piece was its end
			continue
		}
		if err := visit(piece); err != nil {
			return err
		}
	}
}
