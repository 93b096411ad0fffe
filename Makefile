.PHONY: help test test-faults test-page test-real test-kernel test-layers test-secrets test-emulator test-audit e2e lint lint-template vet bench bench-startup bench-exec bench-hostile fuzz load prove build deploy delete

# One shared target directory; integration tests need the command-line tool.
CARGO ?= cargo
FEATURES = --features cli
TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/emulator-venv
SAM_VENV := $(TARGET)/sam-venv

help: ## what there is
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

test: ## every hermetic test; needs Rust, git and bash
	$(CARGO) test --locked $(FEATURES)

test-page: $(TARGET)/page-venv/installed ## the page of an audit in a real browser, with pictures of it; needs Debian's chromium and chromium-driver
	$(CARGO) build --locked $(FEATURES) --bin ecr-preflight
	python3 -B tests/page/run.py --tool $(TARGET)/debug/ecr-preflight --axe $(TARGET)/page-venv --work $(TARGET)/page

test-faults: ## every failure of every call of the function, in the function's own time: half a minute
	$(CARGO) test --locked $(FEATURES) --test it lambda::failures -- --ignored

test-kernel: ## the prediction of execve(2) against the running kernel and runc; needs root, Python 3 and runc
	$(CARGO) test --locked $(FEATURES) --test it conformance::kernel:: -- --ignored --nocapture

test-layers: ## random images laid out as names and by umoci on disk, and what starts there; needs root, Python 3, umoci and runc
	$(CARGO) test --locked $(FEATURES) --test it conformance::umoci:: -- --ignored --nocapture

test-real: ## images of real programs, made with umoci and skopeo, against what runc makes of them, and out of Debian's registry; needs Debian, root and runc
	python3 tests/real/images.py $(TARGET)/real-images
	python3 -B tests/real/programs.py $(TARGET)/real-programs
	TEST_REAL_IMAGES="$(abspath $(TARGET))/real-images/layout" TEST_REAL_PROGRAMS="$(abspath $(TARGET))/real-programs/layout" \
		python3 -B tests/real/registry.py --images $(TARGET)/real-images/layout --work $(TARGET)/real-registry -- \
		$(CARGO) test --locked $(FEATURES) --test it real_ -- --ignored

EVENTS ?= 100000
load: ## a hundred thousand events through one process of the release build: events a second, memory, waiting; EVENTS=n
	$(CARGO) build --release --locked --bin bootstrap
	EVENTS=$(EVENTS) TEST_BOOTSTRAP="$(abspath $(TARGET))/release/bootstrap" \
		$(CARGO) test --locked $(FEATURES) --test it lambda::load -- --ignored --nocapture --test-threads 1

test-secrets: ## the whole suite under strace: no secret in anything that one of its processes prints or logs; needs strace
	$(CARGO) test --locked $(FEATURES) --no-run
	python3 tests/secrets.py $(TARGET)/secrets $(CARGO) test --locked $(FEATURES)

test-emulator: $(VENV)/installed ## the real function against an AWS emulator and a real client; needs Debian and Python 3.10
	$(CARGO) build --locked --bin bootstrap
	$(VENV)/bin/python -B tests/emulator/run.py --bootstrap $(TARGET)/debug/bootstrap --work $(TARGET)/emulator

test-audit: $(VENV)/installed ## an audit of ten thousand images in an AWS emulator, killed half-way and gone on with; needs Python 3.10
	$(CARGO) build --locked $(FEATURES) --bin ecr-preflight
	$(VENV)/bin/python -B tests/emulator/audit.py --tool $(TARGET)/debug/ecr-preflight --work $(TARGET)/audit

e2e: $(VENV)/installed $(SAM_VENV)/installed ## the template, built, deployed to an AWS emulator, used and deleted; needs Debian and Python 3.11
	python3 tests/real/images.py $(TARGET)/real-images
	$(CARGO) build --quiet --locked $(FEATURES) --bin ecr-preflight
	$(VENV)/bin/python -B tests/emulator/e2e.py --tools $(SAM_VENV)/bin --tool $(TARGET)/debug/ecr-preflight --images $(TARGET)/real-images/layout --work $(TARGET)/e2e
	$(CARGO) run --quiet --locked $(FEATURES) -- binary $(TARGET)/e2e/build/Function/bootstrap --runtime lambda/$(shell uname -m)

# For the rules of accessibility that it brings, and for nothing else: what it needs to drive browsers is not used.
$(TARGET)/page-venv/installed:
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps axe-playwright-python==0.1.8
	touch $@

$(VENV)/installed: tests/emulator/requirements.txt
$(SAM_VENV)/installed: tests/emulator/sam-requirements.txt
$(VENV)/installed $(SAM_VENV)/installed:
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

lint: ## formatting and lints, warnings being errors
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked $(FEATURES) --all-targets -- --deny warnings
	$(CARGO) clippy --locked --bin bootstrap -- --deny warnings

lint-template: $(TARGET)/template-venv/installed ## the template: schema, intrinsic functions, security
	PATH="$(abspath $(TARGET))/template-venv/bin:$$PATH" SAM_CLI_TELEMETRY=0 sam validate --lint --region us-east-1
	$(TARGET)/template-venv/bin/cfn-lint template.yaml
	$(TARGET)/template-venv/bin/checkov --framework cloudformation --skip-download --compact --quiet --file template.yaml

$(TARGET)/template-venv/installed:
	python3 -m venv $(TARGET)/template-venv
	$(TARGET)/template-venv/bin/pip install --quiet --disable-pip-version-check aws-sam-cli==1.170.0 cfn-lint==1.58.0 checkov==3.2.459
	touch $@

# What the function runs on; the template's parameter and the build follow it.
ARCHITECTURE ?= arm64
PARAMETERS = --parameter-overrides Architecture=$(ARCHITECTURE)

vet: ## licences, sources and duplicates of the dependencies, and known holes where the list of them can be had; needs cargo-deny
	$(CARGO) fetch --locked --quiet
	$(CARGO) fetch --locked --quiet --manifest-path fuzz/Cargo.toml
	$(CARGO) deny --offline --locked check --hide-inclusion-graph bans licenses sources
	$(CARGO) deny --offline --locked --config deny.toml --manifest-path fuzz/Cargo.toml check --hide-inclusion-graph bans licenses sources
	@if $(CARGO) deny fetch db >/dev/null 2>&1; then $(CARGO) deny --locked check --hide-inclusion-graph --disable-fetch advisories; \
	else echo "advisories: not checked, their database cannot be reached from here"; fi

# SAM hands cargo-lambda no flags; a Cargo.lock that fits the manifest is what gets built.
build: ## the function for ARCHITECTURE (arm64 or x86_64), checked by its own code; needs sam and cargo-lambda
	$(CARGO) fetch --locked
	sam build $(PARAMETERS)
	$(CARGO) run --quiet --locked $(FEATURES) -- binary .aws-sam/build/Function/bootstrap --runtime lambda/$(ARCHITECTURE)

deploy: build ## the stack, after asking for its parameters; needs AWS credentials
	sam deploy --guided $(PARAMETERS)

delete: ## the stack and all that belongs to it
	sam delete

bench: ## all of the benchmarks, and a page with a plot of them; ARGS="--help" tells more
	python3 -B benches/page.py $(ARGS)

prove: ## the fault table, load, benchmarks, hostile images and fuzzers in short forms: a quarter of an hour on two cores
	$(MAKE) test-faults
	$(MAKE) load EVENTS=20000
	$(MAKE) bench ARGS="--runs 1 --check"
	$(MAKE) bench-hostile ARGS="--check"
	$(MAKE) fuzz SECONDS=20

bench-exec: ## how long an inspection takes beside tar, umoci and a bare inflate; ARGS="--help" tells more
	python3 benches/exec/measure.py $(ARGS)

bench-startup: ## start, memory and size beside a function that does nothing; ARGS="--help" tells more
	python3 benches/startup/measure.py $(ARGS)

bench-hostile: ## what images cost that are made to hurt; ARGS="--help" tells more
	python3 -B benches/hostile/measure.py $(ARGS)

# For each fuzzer; two run at once.
SECONDS ?= 60

fuzz: ## every fuzzer for SECONDS (60); needs Debian's g++, and cargo-fuzz
	command -v cargo-fuzz >/dev/null || $(CARGO) install --quiet --locked cargo-fuzz
	python3 -B fuzz/run.py --seconds $(SECONDS) $(ARGS)
