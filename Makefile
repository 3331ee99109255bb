# make demo runs the whole loop on drawn people; make check the quick tests, make test all of them. Each sets up .venv by
# itself, once. Options of pytest go into SELECT: make test SELECT="-s -k noisy_lfw". EXTRA=gpu installs the builds for
# NVIDIA cards, and later calls keep to it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
EXTRA ?= $(if $(wildcard $(VENV)/.ready-gpu),gpu,cpu)
SELECT ?=
OUT ?= demo
READY := $(VENV)/.ready-$(EXTRA)
export OMP_NUM_THREADS ?= 1
unexport PYTHONDONTWRITEBYTECODE # where it is set, each process that a test starts compiles every module again

# Three test processes, and five where some tests wait for servers; the tests of a file run in one of them. With -s or
# --pdb one process, whose output is seen. Larger pages of memory, where the system has them, take 2 to 3% less CPU.
PYTEST = GLIBC_TUNABLES=$${GLIBC_TUNABLES-glibc.malloc.hugetlb=1} $(VENV)/bin/python -m pytest
PARALLEL = $(if $(filter -s --pdb,$(SELECT)),-n 0,-n $(1) --dist loadfile --no-loadscope-reorder)

.PHONY: install demo check test cluster soak fuzz lint clean

# the marker is old meanwhile, so that an installation that fails is tried again, for the same kind of builds
define SET_UP
@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
@echo "installing into $(VENV) (about two minutes, once)"
@rm -f $(filter-out $(READY),$(wildcard $(VENV)/.ready-*))
@touch -c -t 200001010000 $(READY)
@$(VENV)/bin/python -m flows.doctor.installed_builds $(EXTRA)
@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRA),dev]'
@touch $(READY)
endef

# also where everything seems to be there: it mends builds that have overwritten each other
install:
	$(SET_UP)

$(READY): pyproject.toml constraints.txt
	$(SET_UP)

demo: $(READY)
	@$(VENV)/bin/refinery demo --out $(OUT)

# no servers, no trainings: about two minutes on two cores
check: $(READY)
	@$(PYTEST) $(call PARALLEL,3) -m "not (server or slow or mxnet or cluster)" $(SELECT)

# everything but what needs an idle machine: about nine minutes on two cores
test: $(READY)
	@$(PYTEST) $(call PARALLEL,5) $(SELECT)

# Dask and Slurm workers that are killed in the middle, with nothing beside them
cluster: $(READY)
	@$(PYTEST) -n 0 -m cluster tests/chaos $(SELECT)

# refinements and reviews killed at random for half an hour, and libFuzzer on every reader of outside bytes
soak: $(READY)
	@$(VENV)/bin/python -m tests.chaos.soak.run soak $(SELECT)

fuzz: $(READY)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRA),dev,fuzz]'
	@$(VENV)/bin/python -m tests.fuzz.fuzz --out fuzz $(SELECT)

lint: $(READY)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

clean:
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
