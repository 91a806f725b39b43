# Building and testing need only Go, git and make. The race detector also needs a C compiler; without one it is not used. The
# comparisons with PyTorch need Debian's python3-torch; see CONTRIBUTING.md.

RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
FUZZTIME ?= 20s
FUZZ ?= .
SOAKTIME ?= 30m
SEEDS ?= 7 42
ROUNDS ?= 5

.PHONY: build train test lint fmt fuzz soak torture bench bench-peers bench-search step-shares cover records exactness docs pictures check-onnx check-report

build: ## build bin/fmtrain, one static binary
	CGO_ENABLED=0 go build -trimpath -o bin/fmtrain ./cmd/fmtrain

train: ## train a classifier; ARGS="--config book-13b" sets other settings
	go run ./cmd/fmtrain train $(ARGS)

# The race detector sees nothing of the assembly, and makes the command's own tests five times as long. CI runs some of both under it.
test: lint ## run every check and test, most of them with the race detector if there is a C compiler
	@$(if $(RACE),,echo "no C compiler: the race detector is not used")
	go test $(RACE) $$(go list ./... | grep -v -e /internal/kernel$$ -e /cmd/)
	go test ./internal/kernel ./cmd/...

lint: ## run gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

fmt: ## format the code with gofmt
	gofmt -w $$(git ls-files '*.go')

fuzz: ## run the fuzz targets whose names match FUZZ, for FUZZTIME each
	scripts/fuzz '$(FUZZ)' $(FUZZTIME)

soak: ## train for SOAKTIME with a save at least each second; check that memory, goroutines and open files don't grow
	FMTRAIN_SOAK=$(SOAKTIME) go test -count=1 -timeout 0 -v -run '^TestSoak$$' ./cmd/fmtrain

bench: ## run the benchmarks of every package
	go test -run '^$$' -bench . -benchmem ./...

bench-peers: build ## compare the speed with PyTorch, as in docs/performance.md, in ROUNDS rounds
	scripts/bench-peers race bin/fmtrain --rounds $(ROUNDS)
	@echo
	scripts/step-shares

step-shares: ## show where the time of a training step goes
	scripts/step-shares

bench-search: build ## find the settings with which fmtrain and PyTorch reach 88 % accuracy first
	scripts/bench-peers search bin/fmtrain --rounds $(ROUNDS)

cover: ## measure the test coverage of the internal packages
	go test -coverprofile=coverage.out ./internal/...
	go tool cover -func=coverage.out | tail -n 1

torture: ## kill the program 200 times and resume the run each time; make test does so 20 times
	go test -count 1 -v -timeout 60m -run TestTorture ./cmd/fmtrain -kills 200

records: build ## measure the test accuracy and the time of each config over several seeds, and keep them in docs/records.jsonl
	scripts/records bin/fmtrain $(ARGS)

exactness: build ## compare the losses of 500 steps with PyTorch's, for SEEDS
	scripts/exactness bin/fmtrain $(SEEDS)

check-onnx: build ## run exported networks in ONNX Runtime, and compare the logits; needs node and npm
	scripts/check-onnx bin/fmtrain

check-report: build ## check the pages of fmtrain report in Chromium
	npm install --silent --no-audit --no-fund --no-save --prefix bin/check-report playwright-core@1.65.1
	NODE_PATH=bin/check-report/node_modules scripts/check-report bin/fmtrain

docs: ## write the tables of docs/settings.md from the program's help
	go test -run '^TestSettingsPage$$' ./cmd/fmtrain -update

pictures: build ## make docs/pictures from a recorded session in a terminal
	go -C scripts/record build -o ../../bin/record .
	bin/record -bin bin -out docs/pictures/session -columns 84 -until '5/5 +(9..|1...)/' \
		-title 'fmtrain train in a terminal: the network, four epochs, and the bar of the fifth' 'fmtrain train'
