# TV-L1 twice: the flow of each component of the flow, four channels at each position in time.
_base_ = './tvl1-on-the-fly_imagenet-pretrained-r34_1xb24-16x2x1-100e_tiny-kinetics-flow.py'

model = dict(backbone=dict(in_channels=4), data_preprocessor=dict(num_flows=2))
