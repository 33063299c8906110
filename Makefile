# `make demo` and `make test` need Rust, make and a C compiler; the targets that say so need Python 3 as well.

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR
export PYTHONDONTWRITEBYTECODE := 1
BINARY := $(CARGO_TARGET_DIR)/debug/ecs-reloader-lambda
DEMO := $(CARGO_TARGET_DIR)/debug/demo
RELEASE := $(CARGO_TARGET_DIR)/release
VENV := $(CARGO_TARGET_DIR)/venv
ARCHITECTURE ?= arm64
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ': .*## ' '/^[a-z0-9-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: binaries ## Change an object and a parameter in a simulated account, and watch services roll; HTML=FILE writes timelines
	@$(DEMO) demo --binary $(BINARY) $(if $(HTML),--html $(HTML))

.PHONY: play
play: binaries ## Serve the simulated account, with the function connected, until Ctrl-C: for the AWS CLI
	@$(DEMO) play --binary $(BINARY) --log $(CARGO_TARGET_DIR)/play/function.log

.PHONY: test
test: ## Run all Rust tests: no network, no AWS
	cargo test --workspace --locked

.PHONY: docs
docs: ## Write the tables of docs/decisions.md from the code
	WRITE_DOCS=1 cargo test --workspace --locked --test documents generated

SEEDS ?= 2000
FIRST ?= 0

.PHONY: simulate
simulate: ## Run random histories from seeds and check the promises: make simulate SEEDS=2000; SEED=7 replays one
	cargo test --locked --profile simulate --test simulate -- $(if $(SEED),--seed $(SEED),--first $(FIRST) --seeds $(SEEDS))

.PHONY: invoke
invoke: binaries ## Run one event through the real function: make invoke EVENT=events/ssm-update.json; RAW=1 shows its log
	@test -n "$(EVENT)" || { echo "which event? make invoke EVENT=events/ssm-update.json" >&2; exit 2; }
	@$(DEMO) invoke --binary $(BINARY) $(if $(RAW),--raw) "$(EVENT)"

.PHONY: serve
serve: binaries ## Serve an empty simulated account for the AWS CLI, boto3 or any SDK
	@$(DEMO) serve

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: lint
lint: ## Check format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: deny
deny: $(CARGO_TARGET_DIR)/tools/bin/cargo-deny ## Check licences, sources and unwanted crates of all dependencies
	$< --locked check bans licenses sources

# No sanitizer: the product has no unsafe code, and without one four times as many inputs are tried.
FUZZ = PATH="$(abspath $(CARGO_TARGET_DIR)/tools/bin):$$PATH" cargo +nightly fuzz run --sanitizer none --target-dir $(CARGO_TARGET_DIR)/fuzz
FUZZ_CORPUS = $(CARGO_TARGET_DIR)/fuzz/corpus
FUZZ_LIMITS = -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=256

.PHONY: fuzz
fuzz: $(CARGO_TARGET_DIR)/tools/bin/cargo-fuzz ## Try what breaks the decoder and the parsers, a minute each (nightly Rust, C++); FUZZ_SECONDS=600 for more
	mkdir -p $(FUZZ_CORPUS)/decode $(FUZZ_CORPUS)/batch $(FUZZ_CORPUS)/tags $(FUZZ_CORPUS)/reference
	$(FUZZ) decode $(FUZZ_CORPUS)/decode events -- $(FUZZ_LIMITS) -max_len=4096 -dict=fuzz/json.dict
	$(FUZZ) batch $(FUZZ_CORPUS)/batch fuzz/seeds/batch -- $(FUZZ_LIMITS) -max_len=256
	$(FUZZ) tags $(FUZZ_CORPUS)/tags fuzz/seeds/tags -- $(FUZZ_LIMITS) -max_len=1024 -dict=fuzz/tags.dict
	$(FUZZ) reference $(FUZZ_CORPUS)/reference fuzz/seeds/reference -- $(FUZZ_LIMITS) -max_len=1024 -dict=fuzz/tags.dict

.PHONY: validate
validate: $(VENV)-sam/.installed ## Check template.yaml with the SAM CLI and cfn-lint (Python)
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-1 $(VENV)-sam/bin/sam validate --lint
	$(VENV)-sam/bin/cfn-lint template.yaml

.PHONY: contract
contract: $(VENV)-e2e/.installed binaries ## Hold the simulated account, and the commands in documents, against others (Python)
	DEMO=$(DEMO) FUNCTION=$(BINARY) $(VENV)-e2e/bin/python -m pytest e2e/test_contract.py e2e/test_documents.py e2e/test_play.py

.PHONY: e2e
e2e: $(VENV)-e2e/.installed binaries ## Deploy template.yaml into ministack and see services restart (Python)
	FUNCTION=$(BINARY) $(VENV)-e2e/bin/python -m pytest e2e/test_e2e.py

# The release of the function is what is counted; the program that counts is of the development profile.
.PHONY: release
release:
	@cargo build --release --locked --package ecs-reloader --package parts --bins

# Without Python or Go their contestants are left out, and the page says so.
.PHONY: bench
bench: binaries release ## Measure the function beside others, and write docs/performance.md (valgrind; Python, Go); FULL=1 takes longer
	@cargo build --release --locked --package floor
	@$(MAKE) --no-print-directory $(VENV)-bench/.installed || true
	@$(CARGO_TARGET_DIR)/debug/bench compare --binary $(RELEASE)/ecs-reloader-lambda --floor $(RELEASE)/floor --python $(VENV)-bench/bin/python --folder $(CARGO_TARGET_DIR)/bench $(if $(FULL),--full) $(if $(QUICK),--quick)

.PHONY: gates
gates: binaries release ## Hold instructions, calls, memory and package size against bench/baseline.json (valgrind); WRITE=1 replaces it
	@$(CARGO_TARGET_DIR)/debug/bench gates --binary $(RELEASE)/ecs-reloader-lambda --parts $(RELEASE)/parts --folder $(CARGO_TARGET_DIR)/bench $(if $(WRITE),--write)

.PHONY: rates
rates: ## Measure how often a second events are decoded, matched and planned with 10,000 services
	cargo bench --profile release --locked --package parts --bench rates

.PHONY: build
build: $(VENV)-sam/.installed $(VENV)-build/.installed ## Build the release for `sam deploy` (Python); ARCHITECTURE=x86_64 for the other
	PATH="$(abspath $(VENV)-build/bin):$$PATH" SAM_CLI_TELEMETRY=0 $(VENV)-sam/bin/sam build --parameter-overrides Architecture=$(ARCHITECTURE)

.PHONY: clean
clean: ## Remove everything that was built or installed here
	rm -rf $(CARGO_TARGET_DIR) .aws-sam

# Both at once: built apart, they would ask for other features of their dependencies, and compile them twice.
.PHONY: binaries
binaries:
	@cargo build --workspace --bins --locked

$(VENV)-e2e/.installed: e2e/requirements.txt
$(VENV)-sam/.installed: e2e/requirements-sam.txt
$(VENV)-build/.installed: e2e/requirements-build.txt
$(VENV)-bench/.installed: bench/contestants/requirements.txt
$(VENV)-%/.installed:
	python3 -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $^
	touch $@

$(CARGO_TARGET_DIR)/tools/bin/cargo-deny:
	cargo install --locked --root $(CARGO_TARGET_DIR)/tools cargo-deny@0.20.2

$(CARGO_TARGET_DIR)/tools/bin/cargo-fuzz:
	cargo install --locked --root $(CARGO_TARGET_DIR)/tools cargo-fuzz@0.13.2
