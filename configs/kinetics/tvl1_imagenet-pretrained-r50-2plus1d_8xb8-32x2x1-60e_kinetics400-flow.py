# (2+1)D flow CNN on Kinetics-400, an I3D-style flow stream: clips of flow from disk.
_base_ = [
    '../_base_/models/repflow_r50_2plus1d.py',
    '../_base_/datasets/kinetics400_flow_32x224.py',
    '../_base_/schedules/sgd_60e_8xb8.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(in_channels=2, flow=None), data_preprocessor=dict(mean=[127.5, 127.5], std=[127.5, 127.5]))
