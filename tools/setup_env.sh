#!/usr/bin/env bash
# Make the environment .venv in this checkout with the pinned versions, or bring it up to date; safe to repeat.
#   tools/setup_env.sh [tests]      (PYTHON=python3.12 tools/setup_env.sh takes another interpreter)
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "error: the pinned versions need Python 3.11 or later, found $("$python" --version 2>&1); set PYTHON" >&2
    exit 1
fi
.venv/bin/python -m pip --version > /dev/null 2>&1 || "$python" -m venv --clear .venv

lists=(requirements/runtime.txt requirements/openmmlab.txt)
[ "${1:-}" = tests ] && lists+=(requirements/tests.txt requirements/docs.txt)
for list in "${lists[@]}" setup.py; do
    stamp=.venv/installed-$(basename "$list")
    cmp -s "$list" "$stamp" && continue
    echo "installing $list"
    case $list in
        setup.py) .venv/bin/python -m pip install -q --no-deps --no-build-isolation -e . ;;
        */openmmlab.txt) .venv/bin/python -m pip install -q --no-deps -r "$list" ;;
        *) .venv/bin/python -m pip install -q -r "$list" ;;
    esac
    cp "$list" "$stamp"
done

# torch's CUDA builds bring the Triton that fits them; without one the tests run the kernels in its interpreter.
if [ "${1:-}" = tests ] && ! .venv/bin/python -c 'import triton' 2> /dev/null; then
    .venv/bin/python -m pip install -q triton==3.7.1 || echo "no Triton for this machine: its tests are skipped"
fi
