package build

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// available is how much memory the process may still take: what the machine has, or less if a control group limits it. Root is the
// file system.
func available(root fs.FS) (bytes int64, ok bool) {
	if kib, found := field(root, "proc/meminfo", "MemAvailable:"); found {
		bytes, ok = kib<<10, true
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) { // such as 0::/a/b or 5:memory:/a/b
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		var h hierarchy
		switch {
		case parts[1] == "":
			h = hierarchy{"sys/fs/cgroup", "memory.max", "memory.current", "file"}
		case strings.Contains(","+parts[1]+",", ",memory,"):
			h = hierarchy{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"}
		default:
			continue
		}
		if left, limited := h.left(root, parts[2]); limited && (!ok || left < bytes) {
			bytes, ok = left, true
		}
	}
	return bytes, ok
}

// hierarchy is a version of control groups: where it is mounted, and the names of its files. Cache is a field of memory.stat, which
// the kernel gives back when memory is short.
type hierarchy struct{ mount, limit, usage, cache string }

// left is the least that a group or one of its parents leaves. In a container the path may be that of the host: then the mount is the
// group itself.
func (h hierarchy) left(root fs.FS, group string) (bytes int64, limited bool) {
	for at := path.Join(h.mount, group); len(at) >= len(h.mount); at = path.Dir(at) {
		limit, ok := number(root, path.Join(at, h.limit))
		if !ok { // no limit, or no such group
			continue
		}
		usage, _ := number(root, path.Join(at, h.usage))
		cache, _ := field(root, path.Join(at, "memory.stat"), h.cache)
		if free := max(0, limit-max(0, usage-cache)); !limited || free < bytes {
			bytes, limited = free, true
		}
	}
	return bytes, limited
}

// number reads a file that holds one number. The "max" of no limit is none.
func number(root fs.FS, name string) (int64, bool) {
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	return n, err == nil
}

// field reads the number after a name at the beginning of a line.
func field(root fs.FS, file, name string) (int64, bool) {
	content, _ := fs.ReadFile(root, file)
	for line := range strings.Lines(string(content)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
