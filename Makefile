# Everything in one place: `make help`. The recipes are one line each; what needs more is in .ci/.

CARGO ?= cargo
PROGRAMS := $(or $(CARGO_TARGET_DIR),target)/release
# The policy that the demo plays: the shipped one.
POLICY ?= $(firstword $(wildcard models/stride-household-*.gguf))
# A household game that the shipped policy wins.
GAME ?= 7
ALFWORLD ?= ../shared/alfworld/games.tar.zst
TRANSCRIPTS ?= ../shared/alfworld/transcripts.jsonl.zst

.DEFAULT_GOAL := help
.PHONY: help demo build test lint conformance scienceworld deb portable clean prerequisites

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## build, then let the shipped policy play a household game
	@test -n "$(POLICY)" || { echo "models/ holds no GGUF policy; give one: make demo POLICY=FILE" >&2; exit 1; }
	@$(PROGRAMS)/stride-eval play --policy $(POLICY) --world household:$(GAME)

# Every recipe selects the whole workspace: selecting one package gives some build tool other features (syn, behind bindgen),
# and cargo would then compile llama.cpp a second time.
build: prerequisites ## the program stride-eval, in release form (about 6 minutes on 2 cores the first time)
	@$(CARGO) build --release --workspace --bin stride-eval

test: prerequisites ## all tests, in release form so that llama.cpp is compiled once
	$(CARGO) test --workspace --release

lint: prerequisites ## formatting, clippy and docs, with warnings denied
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --release -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --release

conformance: build ## compare the native engine with transcripts of the official one (ALFWORLD=, TRANSCRIPTS=)
	@$(PROGRAMS)/stride-eval replay --world alfworld:$(ALFWORLD) --transcripts $(TRANSCRIPTS)

scienceworld: ## the simulator of ScienceWorld into the cache (7.3 MB from PyPI), and a Java runtime if there is none
	@sh .ci/scienceworld

deb: prerequisites ## the Debian package of the daemon (with cargo-deb, if there is one)
	@bash .ci/deb

portable: prerequisites ## the programs with kernels for every CPU beside them, tried on emulated old ones (target/portable/dist)
	@bash .ci/portable

prerequisites:
	@sh .ci/prerequisites

clean: ## remove what was built
	$(CARGO) clean
