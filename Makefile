# What takes more than one command. Everything is written below the target directory.

TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/emulator-venv

.PHONY: test-emulator
# The function's own binary against an emulated AWS; needs Python 3.10 or newer, and Debian's packages for real images.
test-emulator: $(VENV)/installed
	cargo build --bin bootstrap
	$(VENV)/bin/python -B tests/emulator/run.py --bootstrap $(TARGET)/debug/bootstrap --work $(TARGET)/emulator

$(VENV)/installed: tests/emulator/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
