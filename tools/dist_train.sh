#!/usr/bin/env bash
# Train on several GPUs, or with several gloo processes where there is none:
#   tools/dist_train.sh CONFIG PROCESSES [flags of train.py]      Several nodes: see tools/launch/torchrun.sh
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [flags of train.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launch/torchrun.sh" "$2" train.py "$1" "${@:3}"
