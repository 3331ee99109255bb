# make demo runs the whole loop on drawn people, make test the tests; each sets everything up by itself, once.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
EXTRA ?= cpu
SELECT ?=
# three at a time, for some wait for servers, each on one thread, those of a module in one process; one at a time where
# -s shows what they print
TOGETHER = $(if $(filter -s --pdb,$(SELECT)),-n 0,-n 3 --dist loadfile --no-loadscope-reorder)
READY := $(VENV)/.ready

OUT ?= demo

.PHONY: demo test lint install clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (about two minutes, once)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRA),dev]'
	@touch $@

demo: $(READY)
	@$(VENV)/bin/refinery demo --out $(OUT)

test: $(READY)
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(VENV)/bin/python -m pytest $(TOGETHER) $(SELECT)

lint: $(READY)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

clean:
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
