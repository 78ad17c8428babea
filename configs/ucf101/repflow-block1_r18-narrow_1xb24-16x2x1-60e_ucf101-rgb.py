# Flow after block 1, as on EgoGestAR.
_base_ = './rgb_r18-narrow_1xb24-16x2x1-60e_ucf101-rgb.py'

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$UCF101_SPLIT:1}}'
model = dict(backbone=dict(flow=dict(after='block1', channels=16, num_iters=10, learn=('theta', 'lam', 'tau', 'div'))))
