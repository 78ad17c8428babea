# Flow on the RGB input. Our choice: 4 channels, as the input has 3, and its maps are 16 times as large.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(after='input', channels=4)))
