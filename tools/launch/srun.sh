#!/usr/bin/env bash
# What the slurm_*.sh scripts do: run one of the tools as a job of a slurm cluster.
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] tools/launch/srun.sh PARTITION JOB_NAME TOOL.py [arguments]
set -euo pipefail

partition=$1
job_name=$2
tool=$3
tools=$(cd "$(dirname "$0")/.." && pwd)

# A training that is stopped says this as the command that goes on.
variables=
for name in GPUS GPUS_PER_NODE CPUS_PER_TASK SRUN_ARGS; do
    variables+=${!name:+$name=$(printf '%q' "${!name:-}") }
done
export REPFLOW_MM_COMMAND="$variables$(printf '%q ' "$0" "$@")"
shift 3

gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}

# SRUN_ARGS is split into words on purpose.
# shellcheck disable=SC2086
exec srun --partition "$partition" --job-name "$job_name" \
    --gres "gpu:$gpus_per_node" --ntasks "$gpus" --ntasks-per-node "$gpus_per_node" \
    --cpus-per-task "${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    python -u "$tools/$tool" "$@" --launcher slurm
