.PHONY: help test test-layers test-real test-emulator lint lint-template bench-startup build deploy delete

# One shared target directory; integration tests need the command-line tool.
CARGO ?= cargo
FEATURES = --features cli
TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/emulator-venv

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

test: ## every hermetic test; needs Rust and nothing else
	$(CARGO) test --locked $(FEATURES)

test-layers: ## random images laid out as names and by umoci on disk; needs umoci, and root for the owners
	$(CARGO) test --locked $(FEATURES) --test it unpacked -- --ignored --nocapture

test-real: ## the same answers for images made with umoci and skopeo; needs Debian, and root once to install them
	python3 tests/real/images.py $(TARGET)/real-images
	TEST_REAL_IMAGES="$(abspath $(TARGET))/real-images/layout" $(CARGO) test --locked $(FEATURES) --test it real_images -- --ignored

test-emulator: $(VENV)/installed ## the real function against an AWS emulator and a real client; needs Debian and Python 3.10
	$(CARGO) build --locked --bin bootstrap
	$(VENV)/bin/python -B tests/emulator/run.py --bootstrap $(TARGET)/debug/bootstrap --work $(TARGET)/emulator

$(VENV)/installed: tests/emulator/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

lint: ## formatting and lints, warnings being errors
	$(CARGO) fmt --check
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

build: ## the function for ARCHITECTURE (arm64 or x86_64), checked by its own code; needs sam and cargo-lambda
	sam build $(PARAMETERS)
	$(CARGO) run --quiet --locked $(FEATURES) -- binary .aws-sam/build/Function/bootstrap --runtime lambda/$(ARCHITECTURE)

deploy: build ## the stack, after asking for its parameters; needs AWS credentials
	sam deploy --guided $(PARAMETERS)

delete: ## the stack and all that belongs to it
	sam delete

bench-startup: ## start, memory and size beside a function that does nothing; ARGS="--help" tells more
	python3 benches/startup/measure.py $(ARGS)
