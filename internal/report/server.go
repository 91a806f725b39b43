package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Handler serves a page that is made again when its runs have changed. It answers GET and HEAD of the page alone.
//
// A page in another site may send requests here under a name of its own that it lets point to this machine (DNS rebinding). So a request
// must name the host that was asked for, or this machine.
type Handler struct {
	host  string // that was asked for
	stamp func() string
	page  func() (*Page, error)

	mu      sync.Mutex
	stamped string
	content []byte
	tag     string
}

// NewHandler makes the handler of a page. The page is made again when the stamp has changed. host is the name or the address that the
// server listens on.
func NewHandler(host string, stamp func() string, page func() (*Page, error)) *Handler {
	return &Handler{host: host, stamp: stamp, page: page}
}

// Make makes the page if there is none or if the stamp has changed.
func (h *Handler) Make() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	stamped := h.stamp() // first: what changes while the page is made will be seen later
	if h.content != nil && stamped == h.stamped {
		return nil
	}
	page, err := h.page()
	if err != nil {
		return err
	}
	page.Live = true
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		return err
	}
	digest := sha256.Sum256(b.Bytes())
	h.stamped, h.content, h.tag = stamped, b.Bytes(), `"`+hex.EncodeToString(digest[:16])+`"`
	return nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Content-Security-Policy", policy(true)+"; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-cache")
	switch {
	case !h.allowed(r.Host):
		http.Error(w, "This server answers only under its own name.", http.StatusMisdirectedRequest)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "This page can only be read.", http.StatusMethodNotAllowed)
		return
	case r.URL.Path != "/":
		http.Error(w, "There is only one page here: /", http.StatusNotFound)
		return
	}
	err := h.Make()
	h.mu.Lock()
	content, tag := h.content, h.tag
	h.mu.Unlock()
	if err != nil && content == nil {
		http.Error(w, "The page can't be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	// If the runs can't be read at this moment, the last page is shown: the next request tries again.
	header.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	if r.Method == http.MethodGet {
		_, _ = w.Write(content) // a reader that has gone needs nothing
	}
}

// allowed says whether a request may name this host. A server on all addresses may be named by any of them.
func (h *Handler) allowed(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	address, asked := net.ParseIP(host), net.ParseIP(h.host)
	switch {
	case host == "localhost" || host == strings.ToLower(h.host) && host != "":
		return true
	case address == nil:
		return false
	}
	return address.IsLoopback() || h.host == "" || asked != nil && (asked.IsUnspecified() || asked.Equal(address))
}
