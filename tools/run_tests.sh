#!/usr/bin/env bash
# Set up .venv and run the lint and the test suite:  tools/run_tests.sh [flags of pytest]
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup_env.sh tests
.venv/bin/ruff check .
.venv/bin/ruff format --check .
# Tests start many processes, which would each compile the package where Python is told to keep no compiled modules.
.venv/bin/python -m compileall -q repflow_mm
# A thread for each process of the tests: with more, those of all processes wait for each other on few cores.
export MPLBACKEND=Agg OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# The process that is done first takes tests from the others, some of which take most of a minute.
exec .venv/bin/python -m pytest -n "${TEST_PROCESSES:-2}" --dist worksteal "$@"
