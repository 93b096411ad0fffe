.PHONY: help test test-faults test-memory test-page test-real test-remedies test-docker test-kernel test-layers test-containerd test-secrets test-emulator test-audit e2e lint lint-template vet bench bench-startup bench-exec bench-hostile bench-memory-size fuzz load prove build deploy delete release package check-platforms test-install

CARGO ?= cargo
# How the Lambda function is built; everything else is built with the default features.
FUNCTION = --no-default-features --features lambda --bin bootstrap
# The other function, which knows what runs images.
CONSUMERS = --no-default-features --features lambda,consumers --bin consumers
TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/emulator-venv
SAM_VENV := $(TARGET)/sam-venv

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## run all hermetic tests; needs Rust, git and bash
	$(CARGO) test --locked

# Rows of the largest page.
ROWS ?= 100000

test-page: $(TARGET)/page-venv/installed ## test the audit's HTML page in a browser, with screenshots; needs Debian's chromium and chromium-driver
	$(CARGO) build --locked --bin ecr-preflight
	python3 -B tests/page/run.py --tool $(TARGET)/debug/ecr-preflight --axe $(TARGET)/page-venv --work $(TARGET)/page --rows $(ROWS)

test-faults: ## inject every failure into every call of the function, with its real timeouts (half a minute)
	$(CARGO) test --locked --test it lambda::failures -- --ignored

test-kernel: ## compare predicted execve(2) results with the running kernel and runc; needs root, Python 3 and runc
	$(CARGO) test --locked --test it conformance::kernel:: -- --ignored --nocapture

test-layers: ## compare random layers, and what starts in them, with containerd, umoci and runc; needs root, Python 3, containerd, umoci and runc
	$(CARGO) test --locked --test it conformance::containerd_layers:: -- --ignored --nocapture
	$(CARGO) test --locked --test it conformance::umoci:: -- --ignored --nocapture

# Random images, and the seed of the first.
IMAGES ?= 1000
SEED ?= 0

test-containerd: ## compare IMAGES (1000) random images and hundreds of realistic ones with containerd and runc; needs Debian and root
	SEED=$(SEED) IMAGES=$(IMAGES) $(CARGO) test --locked --test it conformance::containerd:: -- --ignored --nocapture --test-threads 1 --skip docker

test-docker: ## compare hundreds of realistic images with Docker Engine; needs Debian's docker.io and root (some minutes)
	$(CARGO) test --locked --test it in_docker -- --ignored --nocapture

test-real: ## check images of real programs, from umoci, skopeo and Debian's registry, against runc; needs Debian, root and runc
	python3 tests/real/images.py $(TARGET)/real-images
	python3 -B tests/real/programs.py $(TARGET)/real-programs
	TEST_REAL_IMAGES="$(abspath $(TARGET))/real-images/layout" TEST_REAL_PROGRAMS="$(abspath $(TARGET))/real-programs/layout" \
		python3 -B tests/real/registry.py --images $(TARGET)/real-images/layout --work $(TARGET)/real-registry -- \
		$(CARGO) test --locked --test it real_ -- --ignored

test-remedies: ## run the remedies of reports with Docker and a registry: the images must start afterwards; needs Debian and root
	$(CARGO) build --locked --bin ecr-preflight
	python3 -B tests/real/remedies.py --tool $(TARGET)/debug/ecr-preflight --work $(TARGET)/real-remedies

# A release build of the function, for the targets that measure it. Without one, they build it: that takes minutes.
BOOTSTRAP ?=
BUILD_FUNCTION = $(if $(BOOTSTRAP),test -x $(BOOTSTRAP),$(CARGO) build --release --locked $(FUNCTION))
RELEASE_FUNCTION = $(abspath $(or $(BOOTSTRAP),$(TARGET)/release/bootstrap))

EVENTS ?= 100000
load: ## send 100,000 events (EVENTS=n) to one release-build process: throughput, memory, latency
	$(BUILD_FUNCTION)
	EVENTS=$(EVENTS) TEST_BOOTSTRAP="$(RELEASE_FUNCTION)" \
		$(CARGO) test --locked --test it lambda::load -- --ignored --nocapture --test-threads 1

test-memory: ## read large layers slowly with the function's memory, in a control group; needs root
	$(BUILD_FUNCTION)
	TEST_BOOTSTRAP="$(RELEASE_FUNCTION)" \
		$(CARGO) test --locked --test it lambda::memory_limit -- --ignored --nocapture --test-threads 1

test-secrets: ## run all tests under strace: no secret is printed or logged; needs strace
	$(CARGO) test --locked --no-run
	python3 tests/secrets.py $(TARGET)/secrets $(CARGO) test --locked -- $(ARGS)

test-emulator: $(VENV)/installed ## test the function against an AWS emulator and a real client; needs Debian and Python 3.10
	$(CARGO) build --locked --features lambda --bin bootstrap
	$(VENV)/bin/python -B tests/emulator/run.py --bootstrap $(TARGET)/debug/bootstrap --work $(TARGET)/emulator

test-audit: $(VENV)/installed ## audit ten thousand images in an AWS emulator, interrupted and resumed; needs Python 3.10
	$(CARGO) build --locked --bin ecr-preflight
	$(VENV)/bin/python -B tests/emulator/audit.py --tool $(TARGET)/debug/ecr-preflight --work $(TARGET)/audit

e2e: $(VENV)/installed $(SAM_VENV)/installed ## build the template, deploy it to an AWS emulator, use and delete it; needs Debian and Python 3.11
	python3 tests/real/images.py $(TARGET)/real-images
	$(CARGO) build --quiet --locked --bin ecr-preflight
	$(VENV)/bin/python -B tests/emulator/e2e.py --tools $(SAM_VENV)/bin --tool $(TARGET)/debug/ecr-preflight --images $(TARGET)/real-images/layout --work $(TARGET)/e2e
	$(CARGO) run --quiet --locked -- binary $(TARGET)/e2e/build/Function/bootstrap --runtime lambda/$(shell uname -m)
	$(CARGO) run --quiet --locked -- binary $(TARGET)/e2e/build/CensusFunction/bootstrap --runtime lambda/$(shell uname -m)

# Only the accessibility rules of this package are used, so the dependencies with which it drives browsers are omitted.
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

lint: ## check formatting and lints; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	$(CARGO) clippy --locked $(FUNCTION) -- --deny warnings
	$(CARGO) clippy --locked $(CONSUMERS) -- --deny warnings

lint-template: $(TARGET)/template-venv/installed ## check the template's schema, intrinsic functions and security; needs Python 3
	PATH="$(abspath $(TARGET))/template-venv/bin:$$PATH" SAM_CLI_TELEMETRY=0 sam validate --lint --region us-east-1
	$(TARGET)/template-venv/bin/cfn-lint template.yaml
	$(TARGET)/template-venv/bin/checkov --framework cloudformation --skip-download --compact --quiet --file template.yaml

$(TARGET)/template-venv/installed:
	python3 -m venv $(TARGET)/template-venv
	$(TARGET)/template-venv/bin/pip install --quiet --disable-pip-version-check aws-sam-cli==1.170.0 cfn-lint==1.58.0 checkov==3.2.459
	touch $@

# The architecture of the function: of the build, and of the template's parameter.
ARCHITECTURE ?= arm64
PARAMETERS = --parameter-overrides FunctionArchitecture=$(ARCHITECTURE)

vet: ## check licenses, sources and duplicates of dependencies, and advisories if available; needs cargo-deny
	$(CARGO) fetch --locked --quiet
	$(CARGO) fetch --locked --quiet --manifest-path fuzz/Cargo.toml
	$(CARGO) deny --offline --locked check --hide-inclusion-graph bans licenses sources
	$(CARGO) deny --offline --locked --config deny.toml --manifest-path fuzz/Cargo.toml check --hide-inclusion-graph bans licenses sources
	@if $(CARGO) deny fetch db >/dev/null 2>&1; then $(CARGO) deny --locked check --hide-inclusion-graph --disable-fetch advisories; \
	else echo "advisories: not checked, the database is unreachable"; fi

# SAM passes no flags to cargo-lambda. `package.metadata.lambda.build` in Cargo.toml selects features and --locked.
build: ## build the functions for ARCHITECTURE (arm64 or x86_64) and check the binaries; needs sam and cargo-lambda
	$(CARGO) fetch --locked
	sam build $(PARAMETERS)
	$(CARGO) run --quiet --locked -- binary .aws-sam/build/Function/bootstrap --runtime lambda/$(ARCHITECTURE)
	$(CARGO) run --quiet --locked -- binary .aws-sam/build/CensusFunction/bootstrap --runtime lambda/$(ARCHITECTURE)

deploy: build ## build and deploy the stack; asks for its parameters; needs AWS credentials
	sam deploy --guided $(PARAMETERS)

delete: ## delete the stack and everything in it
	sam delete

# What is built here of a release; the workflow also builds the tool for macOS. PROFILE=dev builds faster.
RELEASE := $(TARGET)/release-artifacts
TARGETS ?= x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-pc-windows-gnu
ARCHITECTURES ?= arm64 x86_64

release: package ## build what a release contains, except for macOS, in target/release-artifacts; needs Python 3.11 and gcc
	$(foreach target,$(TARGETS),packaging/build-cli.sh $(target) $(RELEASE) &&) packaging/assemble.sh $(RELEASE)

package: $(TARGET)/release-venv/installed ## build the zips of the functions, and the template without SAM; needs Python 3.11 and gcc
	rm -rf $(RELEASE)
	$(foreach architecture,$(ARCHITECTURES),packaging/build-function.sh $(architecture) $(RELEASE) &&) true
	$(<D)/bin/python packaging/template.py $(RELEASE)/ecr-preflight.cfn.yaml
	$(<D)/bin/cfn-lint $(RELEASE)/ecr-preflight.cfn.yaml

test-install: ## install what `make release` built, and use it, as a new user would; needs Debian and root
	packaging/test-install.sh $(RELEASE)

check-platforms: $(TARGET)/release-venv/installed ## type-check the tool for macOS and Windows
	packaging/check-platforms.sh

$(TARGET)/release-venv/installed: packaging/requirements.txt
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

bench: ## run all benchmarks and write a page with a plot; ARGS="--help" lists the options
	python3 -B benches/page.py $(if $(BOOTSTRAP),--function $(BOOTSTRAP)) $(ARGS)

prove: ## run short forms of test-faults, load, the benchmarks and the fuzzers (15 minutes on two cores)
	$(MAKE) test-faults
	$(MAKE) load EVENTS=20000
	$(MAKE) bench ARGS="--runs 1 --check"
	$(MAKE) bench-hostile ARGS="--check"
	$(MAKE) fuzz SECONDS=20

bench-exec: ## measure inspections against tar, umoci and plain decompression; ARGS="--help" lists the options
	python3 benches/exec/measure.py $(ARGS)

bench-startup: ## measure start, memory and size against an empty function; ARGS="--help" lists the options
	python3 benches/startup/measure.py $(ARGS)

bench-hostile: ## measure what malicious images cost; ARGS="--help" lists the options
	python3 -B benches/hostile/measure.py $(ARGS)

bench-memory-size: ## measure inspections with the processor share of Lambda's memory sizes; ARGS="--help" lists the options
	python3 -B benches/memory_size/measure.py $(ARGS)

# Time for each fuzzer; two run at a time.
SECONDS ?= 60

fuzz: ## run every fuzzer for SECONDS (60); needs Debian's g++; installs cargo-fuzz
	command -v cargo-fuzz >/dev/null || $(CARGO) install --quiet --locked cargo-fuzz
	python3 -B fuzz/run.py --seconds $(SECONDS) $(ARGS)
