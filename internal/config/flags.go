package config

import (
	"slices"

	"github.com/spf13/pflag"
)

// The annotations of a flag: its heading in the help, and whether -h shows it.
const (
	HeadingAnnotation = "heading"
	CommonAnnotation  = "common"
)

// AddFlags defines a flag for each setting, with its help and the default of [Default]. A flag takes any text. [Resolve]
// checks it together with the file, so that one error names all mistakes.
func AddFlags(fs *pflag.FlagSet) {
	c := Default()
	for _, s := range settings(&c) {
		v := &flagText{noun: s.noun, text: s.shown()}
		f := fs.VarPF(v, s.key, "", s.help)
		if s.noun == "bool" {
			f.NoOptDefVal = "true"
		}
		f.Annotations = map[string][]string{HeadingAnnotation: {s.heading}}
		if s.common {
			f.Annotations[CommonAnnotation] = nil
		}
	}
}

// Words are the values of each setting with a closed choice, by key.
func Words() map[string][]string {
	c := Default()
	words := map[string][]string{}
	for _, s := range settings(&c) {
		if s.words != nil {
			words[s.key] = slices.Clone(s.words)
		}
	}
	return words
}

// flagText is a [pflag.Value] that holds what was typed.
type flagText struct{ noun, text string }

func (f *flagText) Set(text string) error { f.text = text; return nil }
func (f *flagText) String() string        { return f.text }
func (f *flagText) Type() string          { return f.noun }

// Entry is a setting as help shows it.
type Entry struct{ Key, Default, Help string }

// Entries are all settings, in the order of a file.
func Entries() (all []Entry) {
	c := Default()
	for _, s := range settings(&c) {
		all = append(all, Entry{Key: s.key, Default: s.shown(), Help: s.help})
	}
	return all
}
