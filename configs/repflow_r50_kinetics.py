# 2D RepFlow on Kinetics-400, the paper's full-Kinetics setting: 32x224x224, ResNet-50, flow after block 3, 8 GPUs.
_base_ = [
    './_base_/models/repflow_r50.py',
    './_base_/datasets/kinetics400_32x224.py',
    './_base_/schedules/sgd_60e_8xb8.py',
    './_base_/default_runtime.py',
]
