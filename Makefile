# Building and testing need only Go, git and make. The race detector also needs a C compiler, and is left out without one. The
# comparisons with PyTorch need Debian's python3-torch; see CONTRIBUTING.md.

RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
FUZZTIME ?= 20s
FUZZ ?= .
SOAKTIME ?= 30m
SEEDS ?= 7 42
ROUNDS ?= 5

.PHONY: build train test lint fmt fuzz soak torture bench bench-peers bench-search step-shares cover seeds exactness docs pictures

build: ## bin/fmtrain, one static binary
	CGO_ENABLED=0 go build -trimpath -o bin/fmtrain ./cmd/fmtrain

train: ## the main job: ARGS="--config book-13b" for other settings
	go run ./cmd/fmtrain train $(ARGS)

test: lint ## every check and test, with the race detector where there is a C compiler
	@$(if $(RACE),,echo "no C compiler: the race detector is left out")
	go test $(RACE) ./...

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

fmt: ## gofmt
	gofmt -w $$(git ls-files '*.go')

fuzz: ## runs the fuzz targets that FUZZ matches, for FUZZTIME each
	scripts/fuzz '$(FUZZ)' $(FUZZTIME)

soak: ## trains for SOAKTIME with a save each second or more often: memory, goroutines and files stay as they are
	FMTRAIN_SOAK=$(SOAKTIME) go test -count=1 -timeout 0 -v -run '^TestSoak$$' ./cmd/fmtrain

bench: ## the benchmarks of every package
	go test -run '^$$' -bench . -benchmem ./...

bench-peers: build ## the race against PyTorch of docs/performance.md, in ROUNDS rounds
	scripts/bench-peers race bin/fmtrain --rounds $(ROUNDS)
	@echo
	scripts/step-shares

step-shares: ## where the time of a training step goes
	scripts/step-shares

bench-search: build ## which settings bring each side of the race to 88 % first
	scripts/bench-peers search bin/fmtrain --rounds $(ROUNDS)

cover: ## test coverage of the internal packages
	go test -coverprofile=coverage.out ./internal/...
	go tool cover -func=coverage.out | tail -n 1

torture: ## kills the program 200 times and resumes it; make test does so 20 times
	go test -count 1 -v -timeout 60m -run TestTorture ./cmd/fmtrain -kills 200

seeds: build ## test accuracy of each config over 5 seeds on the real data
	scripts/seeds bin/fmtrain

exactness: build ## the losses of 500 steps against PyTorch's, for SEEDS
	scripts/exactness bin/fmtrain $(SEEDS)

docs: ## the tables of docs/settings.md, from the program's help
	go test -run '^TestSettingsPage$$' ./cmd/fmtrain -update

pictures: build ## docs/pictures: a session in a terminal, recorded
	go -C scripts/record build -o ../../bin/record .
	bin/record -bin bin -out docs/pictures/session -columns 84 -until '5/5 +(9..|1...)/' \
		-title 'fmtrain train in a terminal: the network, four epochs, and the bar of the fifth' 'fmtrain train'
