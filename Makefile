# Yichu 一触. Two commands for a bare machine: make run, make test.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# slither wants an older web3 than ours: the tools of `make check` live apart.
TOOLS := .venv-tools
TOOLS_LOCK := scripts/analysis/requirements.txt
# Two workers by default: the suite is meant to end within 5 minutes on 2 cores.
WORKERS ?= 2
# More arguments: for yichu up (make run), for pytest (make test ARGS="-k devchain").
ARGS ?=
# Where make test-slow leaves its JUnit reports, one a part: JUNIT=artifacts/test-slow
JUNIT ?=

.PHONY: run test test-slow mutation check clean
.DEFAULT_GOAL := run

run: $(STAMP)
	@$(VENV)/bin/yichu up $(if $(filter 1 yes true,$(LAN)),--lan) $(ARGS)

# Skipped tests are named with their reasons at the end (pytest -ra).
test: $(STAMP)
	$(PY) -m pytest -m "not slow" -n $(WORKERS) --dist loadfile $(ARGS)

# Two parts: what may share the machine, file by file in two workers; then, with the machine to
# itself, what runs a network of its own or measures. A part of which ARGS leaves nothing is passed over.
test-slow: $(STAMP)
	$(call slow,slow and not alone,shared,-n $(WORKERS) --dist loadfile)
	$(call slow,slow and alone,alone,)

slow = $(PY) -m pytest -m "$(1)" --timeout 1800 $(3) $(if $(JUNIT),--junit-xml=$(JUNIT)-$(2).xml) \
  $(ARGS) || [ $$? = 5 ]

# How many small faults in adjudication, rules and money the tests find; hours, never part of test.
mutation: $(STAMP)
	$(PY) scripts/mutation.py $(ARGS)

check: $(STAMP) $(TOOLS)/.installed contracts/node_modules
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) scripts/compile_contracts.py --check
	$(PY) scripts/generate_vectors.py --check
	$(PY) -m scripts.analysis

# The pinned compiler and contract library; needs npm.
contracts/node_modules: contracts/package-lock.json
	cd contracts && npm ci --no-audit --no-fund --silent
	@touch $@

# Remade when its list changes; a half-made one is made anew.
$(TOOLS)/.installed: $(TOOLS_LOCK)
	@$(TOOLS)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(TOOLS)
	@echo "安装合约分析工具 / installing the tools that analyse the contracts"
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(TOOLS_LOCK)
	@touch $@

# Remade when the lock file changes; a half-made environment is made anew.
$(STAMP): requirements.lock pyproject.toml scripts/link_project.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "需要 Python 3.11 或更高版本 / Python 3.11 or newer is needed: found $$($(PYTHON) --version 2>&1)."; \
	  echo "安装后重试,或 / Install it, or name another: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "此 Python 缺少 venv / this Python lacks venv. Debian, Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "安装依赖(首次约一分钟) / installing the pinned packages, about a minute the first time"
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(PY) scripts/link_project.py
	@touch $@

clean:
	rm -rf $(VENV) $(TOOLS) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache artifacts
