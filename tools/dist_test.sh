#!/usr/bin/env bash
# Test on several GPUs, or with several gloo processes where there is none:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [flags of test.py]
# On several nodes, run it on each with NNODES, NODE_RANK and MASTER_ADDR set. Another run at the same time needs
# another MASTER_PORT (or PORT, as in MMAction2).
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [flags of test.py]" >&2
    exit 2
fi
config=$1
checkpoint=$2
processes=$3
shift 3

exec python -m torch.distributed.run \
    --nnodes "${NNODES:-1}" \
    --node-rank "${NODE_RANK:-0}" \
    --nproc-per-node "$processes" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" \
    --master-port "${MASTER_PORT:-${PORT:-29500}}" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
