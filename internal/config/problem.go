package config

import "errors"

// ErrInvalid matches every mistake of usage: an error that the user corrects by changing a setting, a file or a flag.
var ErrInvalid = errors.New("invalid settings")

// problem is one reason to refuse the settings.
type problem struct {
	where string // the setting with its source: "FILE:LINE: KEY", "--FLAG"
	what  string // what was expected, what was found
}

func (p *problem) Error() string { return p.where + ": " + p.what }

// Is makes a problem match [ErrInvalid].
func (p *problem) Is(target error) bool { return target == ErrInvalid }
