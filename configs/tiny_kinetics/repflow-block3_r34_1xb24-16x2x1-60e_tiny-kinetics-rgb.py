# The paper's best single flow: after block 3, 20 iterations, divergence and theta, lam, tau learned.
_base_ = [
    '../_base_/models/rgb_r34.py',
    '../_base_/datasets/tiny_kinetics_16x112.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        flow=dict(
            after='block3',
            channels=32,
            steps=('flow',),
            num_iters=20,
            learn=('theta', 'lam', 'tau', 'div'),
            image_gradient='central',
            fusion='none',
        ),
    ),
)
