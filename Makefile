.PHONY: bench-startup

# What the function costs, beside a function that does nothing; ARGS="--help" tells more.
bench-startup:
	python3 benches/startup/measure.py $(ARGS)
