#!/usr/bin/env bash
# Test on a slurm cluster; the variables are those of tools/launch/srun.sh:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [flags]
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [flags of test.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launch/srun.sh" "$1" "$2" test.py "${@:3}"
