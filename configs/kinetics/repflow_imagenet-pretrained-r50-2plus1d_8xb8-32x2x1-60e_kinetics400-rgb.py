# (2+1)D RepFlow on Kinetics-400: flow after block 3, where T is 8.
_base_ = [
    '../_base_/models/repflow_r50_2plus1d.py',
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e_8xb8.py',
    '../_base_/default_runtime.py',
]
