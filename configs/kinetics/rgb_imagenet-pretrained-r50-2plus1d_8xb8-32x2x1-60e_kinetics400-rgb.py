# (2+1)D RGB on Kinetics-400. Our choice: the schedule of the flow networks.
_base_ = './repflow_imagenet-pretrained-r50-2plus1d_8xb8-32x2x1-60e_kinetics400-rgb.py'

model = dict(backbone=dict(flow=None))
