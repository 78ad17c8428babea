#!/usr/bin/env bash
# Train on several GPUs, or with several gloo processes where there is none:
#   tools/dist_train.sh CONFIG PROCESSES [flags of train.py]
# On several nodes, run it on each with NNODES, NODE_RANK and MASTER_ADDR set. Another run at the same time needs
# another MASTER_PORT (or PORT, as in MMAction2).
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [flags of train.py]" >&2
    exit 2
fi
config=$1
processes=$2
shift 2

exec python -m torch.distributed.run \
    --nnodes "${NNODES:-1}" \
    --node-rank "${NODE_RANK:-0}" \
    --nproc-per-node "$processes" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" \
    --master-port "${MASTER_PORT:-${PORT:-29500}}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
