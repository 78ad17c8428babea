#!/usr/bin/env bash
# Train on a slurm cluster; the variables are those of tools/launch/srun.sh:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] tools/slurm_train.sh PARTITION JOB_NAME CONFIG [flags]
# In a batch job that ends and is queued again until the training is done; 138 is the code of SIGUSR1:
#   #SBATCH --signal=USR1@120 --requeue
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG --resume auto || [ $? -ne 138 ] || scontrol requeue "$SLURM_JOB_ID"
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [flags of train.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/launch/srun.sh" "$1" "$2" train.py "${@:3}"
