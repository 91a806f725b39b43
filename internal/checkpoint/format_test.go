package checkpoint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// testdata/version1.safetensors is small() in version 1 of the format, made from the package comment by a program in
// another language. Every later fmtrain must load it; while the version is 1, Save must write these bytes.
func TestVersion1(t *testing.T) {
	const golden = "testdata/version1.safetensors"
	got, err := Load(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(small(), got, sameBits); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	written := mustSave(t, filepath.Join(t.TempDir(), "c"), small())
	if diff := gocmp.Diff(string(want), string(written)); diff != "" {
		t.Errorf("saved (-want +got):\n%s", diff)
	}
}

// A file has the safetensors format, checked with encoding/json only.
func TestFollowsTheSafetensorsFormat(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := checkpoints().Draw(r, "checkpoint")
		file := encoded(t, c)
		n := binary.LittleEndian.Uint64(file)
		if n%8 != 0 {
			r.Errorf("header of %d bytes: the data is not aligned to 8 bytes", n)
		}
		header, data := file[8:8+n], file[8+n:]
		if header[0] != '{' {
			r.Errorf("header begins with %q, want {", header[0])
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(header, &members); err != nil {
			r.Fatal(err)
		}
		var metadata map[string]string
		if err := json.Unmarshal(members["__metadata__"], &metadata); err != nil {
			r.Fatal(err)
		}
		if metadata["format"] != "fmtrain" || metadata["version"] != "1" || len(metadata) != len(c.Metadata)+3 {
			r.Errorf("metadata %q: want fmtrain, version 1, a SHA-256 and those of the checkpoint", metadata)
		}
		for key, value := range c.Metadata {
			if metadata[key] != value {
				r.Errorf("metadata %q is %q, want %q", key, metadata[key], value)
			}
		}
		delete(members, "__metadata__")
		if len(members) != len(c.Tensors) {
			r.Errorf("%d tensors, want %d", len(members), len(c.Tensors))
		}

		type info struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets []int  `json:"data_offsets"`
		}
		var infos []info
		for _, tensor := range c.Tensors {
			var i info
			if err := json.Unmarshal(members[tensor.Name], &i); err != nil {
				r.Fatal(err)
			}
			if i.DType != "F32" || i.Shape == nil || !slices.Equal(i.Shape, tensor.Shape) {
				r.Errorf("tensor %q is %s %v, want F32 %v", tensor.Name, i.DType, i.Shape, tensor.Shape)
			}
			for j, x := range tensor.Data {
				if got, want := binary.LittleEndian.Uint32(data[i.Offsets[0]+4*j:]), math.Float32bits(x); got != want {
					r.Errorf("tensor %q, value %d: bits %x, want %x", tensor.Name, j, got, want)
				}
			}
			infos = append(infos, i)
		}
		slices.SortFunc(infos, func(a, b info) int {
			return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]))
		})
		end := 0
		for _, i := range infos {
			size := 4
			for _, d := range i.Shape {
				size *= d
			}
			if i.Offsets[0] != end || i.Offsets[1] != end+size {
				r.Errorf("a tensor of %d bytes lies at %v, want it at %d", size, i.Offsets, end)
			}
			end = i.Offsets[1]
		}
		if end != len(data) {
			r.Errorf("tensors end at %d, the data at %d", end, len(data))
		}
	})
}
