# 3D RGB on Kinetics-400, the RGB stream of an I3D-style two-stream network.
_base_ = [
    '../_base_/models/rgb_r3d_50.py',
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e_8xb8.py',
    '../_base_/default_runtime.py',
]
