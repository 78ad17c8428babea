# 2D flow CNN on HMDB51, from ImageNet weights with nothing on disk: three stacks of 10 flows, computed of the
# frames that the RGB network sees.
_base_ = './rgb_imagenet-pretrained-r50_8xb3-32x2x1-60e_hmdb51-rgb.py'

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(
    backbone=dict(in_channels=20),
    data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20, stack_length=10),
)
