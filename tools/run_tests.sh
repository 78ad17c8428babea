#!/usr/bin/env bash
# Set up .venv and run the lint and the test suite:  tools/run_tests.sh [flags of pytest]
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup_env.sh tests
.venv/bin/ruff check .
.venv/bin/ruff format --check .
export MPLBACKEND=Agg
exec .venv/bin/python -m pytest -n "${TEST_PROCESSES:-2}" "$@"
