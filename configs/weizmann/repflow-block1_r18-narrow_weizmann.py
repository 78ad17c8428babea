# Flow after block 1, as on EgoGestAR.
_base_ = './rgb_r18-narrow_weizmann.py'

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$WEIZMANN_SPLIT:1}}'
model = dict(backbone=dict(flow=dict(after='block1', channels=16, num_iters=10, learn=('theta', 'lam', 'tau', 'div'))))
