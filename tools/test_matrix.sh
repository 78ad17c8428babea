#!/usr/bin/env bash
# Run the core of the tests on the oldest and newest versions and on forks:  tools/test_matrix.sh [ROW ...] [flags]
#   tools/test_matrix.sh --docs docs/install.md      (PYTHON=python3.12 takes another interpreter)
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONPATH="$PWD:$PWD/tools"
exec nice -n 10 "${PYTHON:-python3}" -m version_matrix.command_line "$@"
