# The flow CNN: the same network on TV-L1 flow, computed on the fly.
_base_ = './rgb_r18-narrow_kth.py'

model = dict(
    backbone=dict(in_channels=2, num_segments=15),
    data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20),
)
