# Everything is learned, the image gradient from Sobel kernels.
_base_ = './repflow-block1_r18_motion-clips-hard.py'

model = dict(backbone=dict(flow=dict(learn=('theta', 'lam', 'tau', 'div', 'image_gradient'), image_gradient='sobel')))
