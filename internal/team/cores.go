package team

import (
	"os"
	"path/filepath"
	"runtime"
)

// Cores is the number of physical cores that the program may use: two threads of one core share its arithmetic, so a member
// for each would gain nothing. Where the system does not tell, it is GOMAXPROCS.
func Cores() int { return cores("/sys/devices/system/cpu") }

// cores counts the distinct sets of threads that share a core, as Linux lists them for each processor.
func cores(dir string) int {
	most := runtime.GOMAXPROCS(0)
	lists, err := filepath.Glob(filepath.Join(dir, "cpu[0-9]*", "topology", "thread_siblings_list"))
	if err != nil {
		return most
	}
	siblings := map[string]bool{}
	for _, list := range lists {
		if threads, err := os.ReadFile(list); err == nil {
			siblings[string(threads)] = true
		}
	}
	if len(siblings) == 0 {
		return most
	}
	return min(len(siblings), most)
}
