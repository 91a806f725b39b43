package build

import (
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

// files is a file system of these files.
func files(content map[string]string) fs.FS {
	root := fstest.MapFS{}
	for name, text := range content {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

// The memory left is that of the machine or of the strictest control group. The cache of a group counts as free.
func TestAvailable(t *testing.T) {
	const meminfo = "MemTotal:       16000 kB\nMemFree:         100 kB\nMemAvailable:    8000 kB\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  int64 // negative: not known
	}{
		"nothing known": {nil, -1},
		"a machine":     {map[string]string{"proc/meminfo": meminfo}, 8000 << 10},
		"no limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "max\n"}, 8000 << 10},
		"version 2": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "5000000\n", "sys/fs/cgroup/a/b/memory.current": "3000000\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 1000000\nfile 2000000\n"}, 4000000},
		"a parent": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "3000\n", "sys/fs/cgroup/a/memory.current": "1000\n"}, 2000},
		"a container": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/of/the/host\n",
			"sys/fs/cgroup/memory.max": "3000\n", "sys/fs/cgroup/memory.current": "5000\n"}, 0},
		"version 1": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "7:cpu,cpuacct:/a\n5:memory:/a\n0::/\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "6000\n", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "5000\n",
			"sys/fs/cgroup/memory/a/memory.stat": "cache 1\ntotal_cache 2000\n"}, 3000},
		"version 1 without a limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8000 << 10},
		"nonsense": {map[string]string{"proc/meminfo": "MemAvailable: much\n", "proc/self/cgroup": "0\n:::\n0::/../../etc\n"}, -1},
	} {
		got, ok := available(files(test.files))
		if want := test.want; ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: found %d, %v; expected %d", name, got, ok, want)
		}
	}
}

// A run that needs more memory than is left is refused. The error has both sizes and says what to lower.
func TestMemoryIsCompared(t *testing.T) {
	if err := checkMemory(1); err != nil {
		t.Error(err)
	}
	err := checkMemory(math.MaxInt64)
	var m *MemoryError
	if !errors.As(err, &m) || m.Available < 1 || !strings.Contains(err.Error(), "--batch-size") {
		t.Errorf("found %v", err)
	}
	want := "training needs about 40.0 GiB of memory, and 512 MiB is available; lower --batch-size or the layers' widths (--hidden, --channels, --layers)"
	if got := (&MemoryError{40 << 30, 512 << 20}).Error(); got != want {
		t.Errorf("found %s", got)
	}
}
