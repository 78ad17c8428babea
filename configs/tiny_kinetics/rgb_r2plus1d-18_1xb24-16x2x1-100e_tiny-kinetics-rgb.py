# (2+1)D RGB baseline, from scratch, as 2D weights do not fit its factorised convolutions; 100 epochs.
_base_ = [
    '../_base_/models/rgb_r2plus1d_18.py',
    '../_base_/datasets/tiny_kinetics_16x112.py',
    '../_base_/schedules/sgd_100e.py',
    '../_base_/default_runtime.py',
]
