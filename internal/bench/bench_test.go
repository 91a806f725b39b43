package bench

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"testing"
	"time"

	"fmtrain/internal/team"
)

// A report has a figure for everything. How large they are depends on the machine.
func TestRun(t *testing.T) {
	r, err := Run(t.Context(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	positive := func(what string, x float64) {
		if !(x > 0) || math.IsInf(x, 0) {
			t.Errorf("%s: expected a positive number, found %v", what, x)
		}
	}
	positive("peak of one core", r.Peak.One)
	positive("peak of all cores", r.Peak.All)
	positive("tile", r.Tile)
	positive("memory, one core", r.Memory.One)
	positive("memory, all cores", r.Memory.All)
	positive("seconds", r.Seconds)
	for _, p := range r.Products {
		if !regexp.MustCompile(`^((NN|TN|NT) \d+x\d+x\d+|conv 128x\d+x\d+x\d+ to \d+ (forward|dX|dW))$`).MatchString(p.Shape) {
			t.Errorf("a product of the shape %q", p.Shape)
		}
		positive(p.Shape, p.GFLOPS)
		if p.Share != p.GFLOPS/r.Peak.One {
			t.Errorf("%s: found the share %v of %v in %v", p.Shape, p.Share, p.GFLOPS, r.Peak.One)
		}
	}
	for _, shape := range []string{"NN 512x784x512", "TN 784x512x512", "NT 512x512x512", "NN 1024x1024x1024", "TN 784x32x100",
		"conv 128x28x28x1 to 32 dW", "conv 128x14x14x64 to 64 dX"} {
		if !slices.ContainsFunc(r.Products, func(p Product) bool { return p.Shape == shape }) {
			t.Errorf("no product %s", shape)
		}
	}
	threads := map[string][]int{}
	for _, s := range r.Steps {
		positive(s.Name, s.ImagesPerSecond)
		positive(s.Name, s.GFLOPS)
		positive(s.Name, s.Share)
		threads[s.Name] = append(threads[s.Name], s.Threads)
	}
	for _, kind := range stepKinds {
		if all := threads[kind.name()]; len(all) == 0 || all[0] != 1 || all[len(all)-1] != team.Cores() || !slices.IsSorted(all) {
			t.Errorf("%s: found the numbers of threads %v", kind.name(), all)
		}
	}
	if len(r.Parts) != len(stepKinds) {
		t.Errorf("expected the parts of %d steps, found %d", len(stepKinds), len(r.Parts))
	}
	for _, p := range r.Parts {
		sum := 0.0
		for _, s := range p.Shares {
			positive(p.Name+", "+s.Part, s.Share)
			sum += s.Share
		}
		if math.Abs(sum-1) > 1e-9 || p.Share("products") != p.Shares[0].Share {
			t.Errorf("%s: the shares %v add up to %v", p.Name, p.Shares, sum)
		}
	}
}

// The names in JSON are a promise to scripts.
func TestReportAsJSON(t *testing.T) {
	r := Report{
		Peak: Peak{2, 4}, Tile: 1, Products: []Product{{"NN 1x2x3", 1, 0.5}}, Steps: []Step{{"32x100 sgd/nadam", 2, 3, 1, 0.25}},
		Memory: Peak{5, 6}, Parts: []Parts{{"32x100 sgd/nadam", []PartShare{{"products", 1}}}}, Cores: 2, Seconds: 7, Spread: 0.125,
		Beside: Beside{0.5, 0.25, []Process{{"go", 0.5}}},
	}
	found, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"peak_gflops":{"one":2,"all":4},"tile_gflops":1,"products":[{"shape":"NN 1x2x3","gflops":1,"share":0.5}],` +
		`"steps":[{"name":"32x100 sgd/nadam","threads":2,"images_per_second":3,"gflops":1,"share":0.25}],` +
		`"memory_gb_per_second":{"one":5,"all":6},"parts":[{"name":"32x100 sgd/nadam","shares":[{"part":"products","share":1}]}],` +
		`"cores":2,"seconds":7,"spread":0.125,"beside":{"others":0.5,"stolen":0.25,"processes":[{"name":"go","processors":0.5}]}}`
	if string(found) != want {
		t.Errorf("expected\n%s\nfound\n%s", want, found)
	}
}

func TestRunEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("expected the end of the context, found %v", err)
	}
}

// The operations of a step are those of its products: forward and the gradient of the weights in each layer, the gradient of the input
// in all but the first.
func TestWorkOfAStep(t *testing.T) {
	all, err := newSteps()
	if err != nil {
		t.Fatal(err)
	}
	defer all.close()
	want := 2 * 64 * (2*784*200 + 3*200*80 + 3*80*10) / 1e9
	if s := all[2]; math.Abs(s.work-want) > 1e-12 || s.name() != "64x200,80 momentum/rmsprop" {
		t.Errorf("%s: expected %v, found %v", s.name(), want, s.work)
	}
}

func TestPeakOfSomeCores(t *testing.T) {
	p := Peak{One: 10, All: 34}
	for members, want := range map[int]float64{1: 10, 2: 18, 4: 34} {
		if found := p.of(members, 4); found != want {
			t.Errorf("%d of 4 cores: expected %v, found %v", members, want, found)
		}
	}
	if found := p.of(1, 1); found != 10 {
		t.Errorf("one core: expected 10, found %v", found)
	}
}
