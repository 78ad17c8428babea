#!/usr/bin/env bash
# Test on several GPUs, or with several gloo processes where there is none:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [flags of test.py]      Several nodes: see tools/launch/torchrun.sh
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [flags of test.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launch/torchrun.sh" "$3" test.py "$1" "$2" "${@:4}"
