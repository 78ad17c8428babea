#!/usr/bin/env bash
# What the dist_*.sh scripts do: run one of the tools in several processes of this machine, or of each of several.
#   tools/launch/torchrun.sh PROCESSES TOOL.py [arguments]
# On several nodes, run it on each with NNODES, NODE_RANK and MASTER_ADDR set. Another run at the same time needs
# another MASTER_PORT (or PORT, as in MMAction2).
set -euo pipefail

processes=$1
tool=$2
tools=$(cd "$(dirname "$0")/.." && pwd)

# A training that is stopped says this as the command that goes on.
variables=
for name in NNODES NODE_RANK MASTER_ADDR MASTER_PORT PORT; do
    variables+=${!name:+$name=${!name} }
done
export REPFLOW_MM_COMMAND="$variables$(printf '%q ' "$0" "$@")"
shift 2

# torchrun passes signals on; a training answers with a checkpoint, which takes a step's time and that of writing.
export PET_SIGNALS_TO_HANDLE=${PET_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}
export PET_SHUTDOWN_TIMEOUT=${PET_SHUTDOWN_TIMEOUT:-300}

exec python -m torch.distributed.run \
    --nnodes "${NNODES:-1}" \
    --node-rank "${NODE_RANK:-0}" \
    --nproc-per-node "$processes" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" \
    --master-port "${MASTER_PORT:-${PORT:-29500}}" \
    "$tools/$tool" "$@" --launcher pytorch
