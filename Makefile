.PHONY: help test test-real test-emulator lint bench-startup

# One shared target directory; integration tests need the command-line tool.
CARGO ?= cargo
FEATURES = --features cli
TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/emulator-venv

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

test: ## every hermetic test; needs Rust and nothing else
	$(CARGO) test --locked $(FEATURES)

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

bench-startup: ## start, memory and size beside a function that does nothing; ARGS="--help" tells more
	python3 benches/startup/measure.py $(ARGS)
