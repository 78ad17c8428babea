# TV-L1 once, for comparison with TV-L1 twice: one flow at each position in time instead of stacks.
_base_ = './tvl1-stack5-on-the-fly_imagenet-pretrained-r34_1xb24-16x2x1-100e_tiny-kinetics-flow.py'

model = dict(backbone=dict(in_channels=2), data_preprocessor=dict(stack_length=None))
