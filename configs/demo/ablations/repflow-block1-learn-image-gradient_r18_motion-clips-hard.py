# The taps of the image gradient are learned, from Sobel kernels.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(learn=('image_gradient',), image_gradient='sobel')))
