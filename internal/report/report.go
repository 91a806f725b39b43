// Package report makes one HTML page of a run, or of several: figures, curves, images and tables.
//
// The page is complete: its style, script, curves (SVG) and images (PNG) are in it, and its content security policy forbids every
// request. It can be read without the script, which only adds values at the pointer and keys to move by. The bytes of a page are a
// function of its contents: it has no date of its own.
package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"os"
)

// Page is what a page shows. Empty parts are left out.
type Page struct {
	Title    string
	Subtitle string
	Notes    []string // what a reader must know to read the results
	Figures  []Figure
	Charts   []Chart
	Tables   []Table // after the charts: comparisons
	Measured *Measured
	Weights  *Weights
	Details  []Table // at the end: the model, the settings, where the run was made
	Live     bool    // the page asks its server again and again whether it has changed
}

// Figure is a number that the page begins with.
type Figure struct{ Name, Value, About string }

// Table is a table with headings. The first cell of each row is the row's heading.
type Table struct {
	Title, About string
	Columns      []Column
	Rows         [][]string
	Closed       bool // only its title is shown until the reader opens it
}

// Column is a column of a table.
type Column struct {
	Heading string
	Number  bool // aligned to the right
}

//go:embed page.html page.css page.js
var files embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(read("page.css") + heatStyle()) },
	"script": func() template.JS { return template.JS(read("page.js")) },
	"policy": policy,
	"draw":   Chart.draw,
}).ParseFS(files, "page.html"))

// read is an embedded file.
func read(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// Write writes the page.
func (p *Page) Write(w io.Writer) error { return page.Execute(w, p) }

// policy is the content security policy of a page: it loads nothing and runs its own script only. A live page may also ask its server.
func policy(live bool) string {
	digest := sha256.Sum256([]byte(read("page.js")))
	text := "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'"
	if live {
		text += "; connect-src 'self'"
	}
	return text
}

// generator is in the first bytes of every page.
const generator = `<meta name="generator" content="fmtrain report">`

// IsReport says whether the file at path is a page of this package.
func IsReport(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	begin := make([]byte, 512)
	n, err := io.ReadFull(f, begin)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return bytes.Contains(begin[:n], []byte(generator)), nil
}
