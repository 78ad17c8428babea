# FcF after block 3 whose first flow reaches the network too.
_base_ = ['./repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py', '../_base_/models/fcf_all_flows.py']

model = dict(backbone=dict(flow={{_base_.fcf}}))
