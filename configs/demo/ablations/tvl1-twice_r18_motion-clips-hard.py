# TV-L1 twice: the flow of the flow's two components.
_base_ = './tvl1_r18_motion-clips-hard.py'

model = dict(backbone=dict(in_channels=4, num_segments=6), data_preprocessor=dict(num_flows=2))
