# Flow on the RGB frames. Our choice: the 1x1 convolutions stay, 3 channels to 32 and back.
_base_ = './repflow-block3_r34_1xb24-16x2x1-60e_tiny-kinetics-rgb.py'

model = dict(backbone=dict(flow=dict(after='input')))
