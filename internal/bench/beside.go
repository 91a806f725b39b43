package bench

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Beside is what ran beside the measurement, in processors that were busy with it on average. Only Linux says it.
type Beside struct {
	Others    float64   `json:"others"`    // all other processes
	Stolen    float64   `json:"stolen"`    // other machines on the same hardware
	Processes []Process `json:"processes"` // those that took most; none where they can't be seen
}

// Process is a process that ran beside.
type Process struct {
	Name       string  `json:"name"`
	Processors float64 `json:"processors"`
}

// use is the time that everything has taken so far, in ticks of the system.
type use struct {
	processors int
	total      float64 // of all processors, idle or not
	busy       float64
	stolen     float64
	own        float64
	processes  map[string]process // by number
}

type process struct {
	name  string
	ticks float64
}

// machineUse reads the use of this machine.
func machineUse() use { return readUse(os.DirFS("/proc"), os.Getpid()) }

// readUse reads /proc. What it doesn't find is 0.
func readUse(proc fs.FS, self int) (u use) {
	u.processes = map[string]process{}
	text, _ := fs.ReadFile(proc, "stat")
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 8 && fields[0] == "cpu" { // user nice system idle iowait irq softirq steal
			ticks := numbers(fields[1:9])
			for i, t := range ticks {
				u.total += t
				if i != 3 && i != 4 && i != 7 {
					u.busy += t
				}
			}
			u.stolen = ticks[7]
		} else if len(fields) > 0 && strings.HasPrefix(fields[0], "cpu") {
			u.processors++
		}
	}
	stats, _ := fs.Glob(proc, "[0-9]*/stat")
	for _, name := range stats {
		text, err := fs.ReadFile(proc, name)
		if err != nil { // it has ended
			continue
		}
		number := path.Dir(name)
		p, ok := parseProcess(string(text))
		switch {
		case !ok:
		case number == strconv.Itoa(self):
			u.own = p.ticks
		default:
			u.processes[number] = p
		}
	}
	return u
}

// parseProcess reads the name and the ticks of a process, as in "12 (go build) S 1 ...". The name may have spaces and parentheses.
func parseProcess(stat string) (p process, ok bool) {
	from, to := strings.Index(stat, "("), strings.LastIndex(stat, ")")
	if from < 0 || to < from {
		return p, false
	}
	fields := strings.Fields(stat[to+1:])
	const user, system = 11, 12
	if len(fields) <= system {
		return p, false
	}
	ticks := numbers(fields[user : system+1])
	return process{stat[from+1 : to], ticks[0] + ticks[1]}, true
}

// numbers reads whole numbers; what is none is 0.
func numbers(words []string) []float64 {
	all := make([]float64, len(words))
	for i, w := range words {
		n, _ := strconv.ParseUint(w, 10, 64)
		all[i] = float64(n)
	}
	return all
}

// mostProcesses is the number of processes that are named, and leastProcessors what they must have taken.
const (
	mostProcesses   = 3
	leastProcessors = 0.05
)

// since is what ran beside from an earlier moment on.
func (u use) since(before use) (b Beside) {
	b.Processes = []Process{}
	if u.total <= before.total {
		return b
	}
	processors := func(ticks float64) float64 {
		return max(0, ticks) / (u.total - before.total) * float64(u.processors)
	}
	b.Others = processors(u.busy - before.busy - (u.own - before.own))
	b.Stolen = processors(u.stolen - before.stolen)
	for number, p := range u.processes {
		earlier := before.processes[number]
		if earlier.name != p.name {
			earlier.ticks = 0
		}
		if took := processors(p.ticks - earlier.ticks); took >= leastProcessors {
			b.Processes = append(b.Processes, Process{p.name, took})
		}
	}
	slices.SortFunc(b.Processes, func(x, y Process) int {
		return cmp.Or(cmp.Compare(y.Processors, x.Processors), cmp.Compare(x.Name, y.Name))
	})
	b.Processes = b.Processes[:min(len(b.Processes), mostProcesses)]
	return b
}
