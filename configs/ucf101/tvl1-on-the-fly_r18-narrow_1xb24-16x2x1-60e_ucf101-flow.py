# The flow CNN: the same network on TV-L1 flow, computed on the fly.
_base_ = './rgb_r18-narrow_1xb24-16x2x1-60e_ucf101-rgb.py'

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$UCF101_SPLIT:1}}'
model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20),
)
