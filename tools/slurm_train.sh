#!/usr/bin/env bash
# Train on a slurm cluster; the variables are those of tools/launch/srun.sh:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] tools/slurm_train.sh PARTITION JOB_NAME CONFIG [flags]
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [flags of train.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launch/srun.sh" "$1" "$2" train.py "${@:3}"
