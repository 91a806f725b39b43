package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"fmtrain/internal/dataset"
	"fmtrain/internal/picture"
	"fmtrain/internal/predict"
	"fmtrain/internal/run"
)

// predictor classifies pictures with the weights of a checkpoint.
type predictor struct {
	ctx        context.Context
	streams    streams
	options    predictOptions
	invert     picture.Invert
	path       string // of the checkpoint
	saved      *run.Saved
	settings   evalSettings
	classifier *predict.Classifier
	reference  *predict.Reference // nil if there is none
	sets       map[string]*dataset.Set
}

func newPredictor(ctx context.Context, s streams, o predictOptions) (*predictor, error) {
	path, err := checkpointOf(o.target)
	if err != nil {
		return nil, err
	}
	p := &predictor{ctx: ctx, streams: s, options: o, path: path, sets: map[string]*dataset.Set{}}
	if p.saved, err = run.Load(path); err != nil {
		return nil, err
	}
	weights, err := weightsOf(p.saved, path, o.ema)
	if err != nil {
		return nil, err
	}
	if o.ema {
		p.path += ", averaged weights"
	}
	if p.settings, err = readEvalSettings(p.saved); err != nil {
		return nil, err
	}
	if p.classifier, err = predict.New(p.saved.Model, weights); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p.reference, err = p.newReference()
	return p, err
}

// newReference computes what the training images look like. For a run on Fashion-MNIST the embedded sample is enough, so the data
// themselves need not be there. Without the data of another run there is no reference.
func (p *predictor) newReference() (*predict.Reference, error) {
	sample, err := dataset.Load(p.ctx, dataset.Options{Dir: dataset.SampleName})
	if err != nil {
		return nil, err
	}
	trained := map[string]string(p.saved.Data)
	if trained == nil || dataset.IsFashionMNIST(trained) || run.Data(sample.TrainSHA256).Differs(p.saved.Data) == "" {
		return predict.NewReference(sample.Train), nil
	}
	set, err := p.set("train")
	if p.ctx.Err() != nil {
		return nil, p.ctx.Err()
	}
	if err != nil {
		warn(p.streams.err, "no picture is compared with the training images: %v", err)
		return nil, nil
	}
	return predict.NewReference(set), nil
}

// set is a part of the data, read once.
func (p *predictor) set(split string) (*dataset.Set, error) {
	if set := p.sets[split]; set != nil {
		return set, nil
	}
	_, set, err := evalData(p.ctx, p.streams, evalOptions{split: split, data: p.options.data}, p.saved, p.settings)
	if err == nil {
		p.sets[split] = set
	}
	return set, err
}

// predict classifies a picture.
func (p *predictor) predict(s source) (*prediction, error) {
	if s.err != nil {
		return nil, s.err
	}
	found := &prediction{Image: s.name}
	var err error
	if r := rowOf(s.name); r != nil {
		err = p.readRow(found, r)
	} else {
		err = p.readPicture(found)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if found.Probabilities, err = p.classifier.Probabilities(found.pixels); err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	found.rank()
	found.compare(p.reference)
	return found, nil
}

func (p *predictor) readRow(found *prediction, r *row) error {
	set, err := p.set(r.split)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(r.index)
	if err != nil || i < 0 || i >= set.Len() {
		return usageError{fmt.Errorf("expected a row from %s:0 to %s:%d, found %.100q", r.split, r.split, set.Len()-1, r.index)}
	}
	found.pixels = set.Images[i*dataset.Pixels : (i+1)*dataset.Pixels]
	found.Label = dataset.ClassNames[set.Labels[i]]
	return nil
}

func (p *predictor) readPicture(found *prediction) error {
	var file io.Reader = os.Stdin
	if found.Image != "-" {
		f, err := os.Open(found.Image)
		if errors.Is(err, fs.ErrNotExist) {
			return usageError{fmt.Errorf("expected a picture, a row such as test:0 (of %s), or a run before the pictures, found nothing of this name%s",
				list(splits), run.Hint(found.Image))}
		}
		if err != nil {
			return errors.Unwrap(err)
		}
		defer f.Close()
		file = f
	}
	read, err := picture.Read(file, p.invert)
	if err != nil {
		return err
	}
	found.picture, found.pixels = read, read.Pixels
	return nil
}
