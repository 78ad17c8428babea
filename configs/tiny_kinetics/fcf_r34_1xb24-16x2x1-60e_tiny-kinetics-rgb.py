# FcF: the paper's flow of flow, after block 3.
_base_ = ['./repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py', '../_base_/models/fcf.py']

model = dict(backbone=dict(flow={{_base_.fcf}}))
