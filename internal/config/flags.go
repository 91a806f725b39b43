package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// AddFlags defines a flag for each setting, with its help and the default of [Default]. A flag takes any text; [Resolve]
// judges it, together with the file, so that one error names everything to be put right.
func AddFlags(fs *pflag.FlagSet) {
	defaults := values(Default())
	for _, s := range settings {
		v := &flagText{noun: s.noun, text: textOf(defaults[s.key])}
		if s.auto {
			v.text = auto
		}
		f := fs.VarPF(v, s.key, "", s.help)
		if s.noun == "bool" {
			f.NoOptDefVal = "true"
		}
	}
}

// textOf is a value as one would type it.
func textOf(v any) string {
	switch v := v.(type) {
	case []int:
		return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(v)), ","), "[]")
	case []string:
		return strings.Join(v, ",")
	case *int:
		if v == nil {
			return auto
		}
		return fmt.Sprint(*v)
	case *float64:
		if v == nil {
			return auto
		}
		return fmt.Sprint(*v)
	}
	return fmt.Sprint(v)
}

// flagText is a [pflag.Value] that holds what was typed.
type flagText struct{ noun, text string }

func (f *flagText) Set(text string) error { f.text = text; return nil }
func (f *flagText) String() string        { return f.text }
func (f *flagText) Type() string          { return f.noun }
