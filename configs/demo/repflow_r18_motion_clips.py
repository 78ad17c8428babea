# The RepFlow network of the demo: the same network with one flow block after its stem, on 16x16 feature maps.
_base_ = './rgb_r18_motion_clips.py'

model = dict(backbone=dict(flow=dict(after='block1', channels=16, num_iters=10)))
