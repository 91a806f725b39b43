package version

import (
	"runtime"
	"testing"
)

func TestRead(t *testing.T) {
	info := Read()
	if info.Go != runtime.Version() || info.System != runtime.GOOS+"/"+runtime.GOARCH || info.Version == "" {
		t.Errorf("found %+v", info)
	}
	info = Info{Version: "v1.2.3", Commit: "abc", Modified: true}
	if got := info.String(); got != "v1.2.3 abc with changes" {
		t.Errorf("found %q", got)
	}
}
