# make demo   install into .venv, extract the five articles, write out/articles.html
# make test   the whole test suite
# make lint   ruff and mypy
# make model  rebuild the embedded models from raw text and corpora (hours; see README, "Rebuild the model")
# make tutorial  the runs of training/TUTORIAL.md (an hour)
# make clean  remove .venv, caches and out/
#
# Needs make and Python 3.11 or newer. PYTHON=python3.12 chooses another one; pip reads its usual settings
# (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL and so on), for instance an index with the smaller CPU build of torch.

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell \
  $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DECLARED := pyproject.toml constraints.txt

# Caches go to HOME; where that is missing or read-only, a folder of .venv will do.
ifeq ($(shell test -d "$(HOME)" && test -w "$(HOME)" && echo usable),)
export HOME := $(shell mkdir -p .venv/home && echo "$(CURDIR)/.venv/home")
endif

.PHONY: demo test lint types model tutorial clean
.DELETE_ON_ERROR:

demo: .venv/installed
	$(BIN)/isnad extract seeds/articles --format table
	$(BIN)/isnad extract seeds/articles -o out/articles.html --overwrite

test: .venv/installed-dev
	$(PARALLEL) $(wildcard tests/*/)
	$(PARALLEL) $(wildcard tests/test_[a-d]*.py)
	$(PARALLEL) $(wildcard tests/test_[e-l]*.py)
	$(PARALLEL) $(wildcard tests/test_[m-z]*.py)
	$(BIN)/python -m pytest -m alone
	$(BIN)/python -m pytest -m openvino
	$(BIN)/python -m pytest -m ray
	$(BIN)/python -m pytest -m spark

# In four runs: a worker that has run some 800 tests, with all the runtimes they load, may end without a trace.
PARALLEL := $(BIN)/python -m pytest -n auto --dist loadfile --max-worker-restart 0 \
  -m "not (alone or openvino or ray or spark)"

FIFTY := seeds/tutorial/train/train-0
NEW_LABELS := $(BIN)/isnad train --base isnad-small --dev seeds/tutorial/dev --schema tutorial

# Every step leaves a folder in runs/ and is passed over when that is there; what was cut off goes on where it was.
model: .venv/installed-dev
	$(BIN)/python -m isnad.training.pretrain configs/pretrain/cpu.yaml runs/pretrain
	test -d runs/corpora/model || $(BIN)/isnad train --resume --config configs/finetune/corpora.yaml -o runs/corpora
	for seed in 1 2; do test -d runs/authored-$$seed/model || $(BIN)/isnad train --resume \
	  --config configs/finetune/authored.yaml --set seed=$$seed -o runs/authored-$$seed || exit; done
	test -d runs/authored/model || $(BIN)/isnad average runs/authored-1/model runs/authored-2/model -o runs/authored
	$(BIN)/python -m isnad.training.embed runs/authored/model isnad-small-authored
	$(BIN)/isnad eval --leave-one-out --config configs/finetune/articles.yaml -o runs/loo
	cp runs/loo/result.json eval/results/leave_one_out_joint.json
	test -d runs/final/model || $(BIN)/isnad train --resume --config configs/finetune/articles.yaml -o runs/final
	$(BIN)/python -m isnad.training.embed runs/final/model isnad-small
	$(BIN)/python -m isnad.eval.tables

# The runs of training/TUTORIAL.md: new labels learned from 50, 100, 200 and 400 sentences. A run that ends with an
# error because an old label was forgotten leaves its model all the same, and is measured.
tutorial: .venv/installed-dev
	test -d runs/tutorial/50/model || $(NEW_LABELS) $(FIFTY:%=--data %1.txt) -o runs/tutorial/50 \
	  || test -d runs/tutorial/50/model
	test -d runs/tutorial/100/model || $(NEW_LABELS) $(foreach n,1 2,$(FIFTY:%=--data %$(n).txt)) -o runs/tutorial/100 \
	  || test -d runs/tutorial/100/model
	test -d runs/tutorial/200/model || $(NEW_LABELS) $(foreach n,1 2 3 4,$(FIFTY:%=--data %$(n).txt)) -o runs/tutorial/200 \
	  || test -d runs/tutorial/200/model
	test -d runs/tutorial/400/model || $(NEW_LABELS) --data seeds/tutorial/train -o runs/tutorial/400 \
	  || test -d runs/tutorial/400/model
	$(BIN)/python -m isnad.eval.new_labels $(foreach n,50 100 200 400,runs/tutorial/$(n)) --test seeds/tutorial/test \
	  -o eval/results/new_labels.json
	$(BIN)/python -m isnad.eval.tables

lint: .venv/installed-dev types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

# mypy names modules after folders, and the folder of this checkout can have any name: it is shown as `isnad`.
types: .venv/installed-dev
	@mkdir -p .venv/lint && ln -sfn ../.. .venv/lint/isnad
	cd .venv/lint && ../bin/python -m mypy --config-file isnad/pyproject.toml --cache-dir ../../.mypy_cache \
	  -p isnad.model -p isnad.training -p isnad.eval -p isnad.cli

# A stamp is written when pip has succeeded, and is out of date when what is declared has changed.
.venv/installed: $(DECLARED) | .venv/bin/python
	@echo "installing isnad into .venv; the first time this takes some minutes"
	@$(PIP) -e '.[torch]'
	@touch $@

.venv/installed-dev: $(DECLARED) | .venv/bin/python
	@echo "installing isnad and its development tools into .venv; the first time this takes some minutes"
	@$(PIP) -e '.[dev]'
	@touch $@ .venv/installed

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer found; write: make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -m venv .venv

clean:
	rm -rf .venv out build isnad.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
