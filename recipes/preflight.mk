# For make: `include preflight.mk`, and let the target that pushes depend on `preflight`. A rule of yours builds image.tar.
CHECKED_IMAGE ?= oci-archive:image.tar
RUNTIMES ?= ecs/arm64

.PHONY: preflight
preflight: $(patsubst oci-archive:%,%,$(CHECKED_IMAGE))
	ecr-preflight check $(CHECKED_IMAGE) --runtime $(RUNTIMES)
