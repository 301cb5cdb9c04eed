# Every target works from a fresh clone: the first one to run makes .venv, later ones reuse it.
PYTHON := .venv/bin/python
READY := .venv/.ready
# Tests of one file share what is slow to make, so a file stays in one process. Each process takes up to 2 GB.
PARALLEL ?= -n 2 --dist loadfile

STUDY ?= full
export HF_DATASETS_CACHE := $(CURDIR)/.cache/datasets

.PHONY: help demo demo-coldstart study benchmark benchmark-grading test e2e lint format docs check lock clean
help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

$(READY): setup.cfg .ci/setup .ci/constraints.txt .ci/overrides.txt
	@bash .ci/setup

demo: $(READY) ## Watch TAPO train a small model on the real engine, on the CPU
	@$(PYTHON) -m examples.cpu_demo.run

demo-coldstart: $(READY) ## Remake the demo's cold-started checkpoint (about ten minutes)
	@$(PYTHON) -m examples.cpu_demo.cold_start --output_dir examples/cpu_demo/checkpoint

study: $(READY) ## Compare the arms on the real engine (STUDY=quick: a coarse answer)
	@$(PYTHON) -m examples.study --study $(STUDY) $(STUDY_ARGS)

benchmark: $(READY) ## Measure what TAPO costs against verl's own GRPO
	@$(PYTHON) -m examples.benchmark $(BENCHMARK_ARGS)

benchmark-grading: $(READY) ## Measure the grader beside verl's own math_verify scorer (three minutes)
	@$(PYTHON) -m examples.benchmark.grading --worst

test: $(READY) ## Run the tests (fast ones; with CI=true all)
	@$(PYTHON) -m pytest -m "not e2e" $(PARALLEL) $(PYTEST_ARGS)
	@$(if $(CI),$(MAKE) --no-print-directory e2e)

e2e: $(READY) ## Run the end-to-end tests on the real engine
	@$(PYTHON) -m pytest tests/e2e -m e2e $(PARALLEL) --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(READY) ## Check style, format, the direction of imports and types
	@$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check .
	@.venv/bin/lint-imports
	@$(PYTHON) -m pyright

format: $(READY) ## Mend style and format
	@$(PYTHON) -m ruff check --fix . && $(PYTHON) -m ruff format .

docs: $(READY) ## Build the documentation into build/site; what is broken in it is an error
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

check: $(READY) ## Say what is found of everything TAPO needs
	@$(PYTHON) -W ignore -m recipe_tapo check

lock: $(READY) ## Write the installed versions to .ci/constraints.txt
	@{ echo "# Every version the CPU stack was tested with; 'make lock' writes it anew."; \
	   $(PYTHON) -c 'import importlib.metadata as m; print("\n".join(sorted({f"{d.name}=={d.version}" for d in m.distributions() if d.name not in ("recipe-tapo", "torch")}, key=str.lower)))'; } > .ci/constraints.txt

clean: ## Remove what runs leave behind (not .venv)
	@rm -rf outputs build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
