# 3D with flow after block 3, where T is 8.
_base_ = [
    '../_base_/models/rgb_r3d_18.py',
    '../_base_/datasets/tiny_kinetics_16x112.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        flow=dict(after='block3', channels=32, num_iters=20, learn=('theta', 'lam', 'tau', 'div'), fusion='none'),
    ),
)
