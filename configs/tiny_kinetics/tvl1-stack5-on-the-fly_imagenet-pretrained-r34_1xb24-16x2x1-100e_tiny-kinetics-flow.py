# The flow CNN: three stacks of 5 TV-L1 flows, which are computed on the fly of the frames that the RGB network sees,
# with the authors' settings for baselines: ImageNet weights, averaged over RGB, 100 epochs.
_base_ = [
    '../_base_/models/rgb_r34.py',
    '../_base_/datasets/tiny_kinetics_16x112.py',
    '../_base_/schedules/sgd_100e.py',
    '../_base_/default_runtime.py',
]

# Our choice: L = 5, which divides the 15 flows of 16 frames.
model = dict(
    backbone=dict(in_channels=10, pretrained='https://download.pytorch.org/models/resnet34-b627a593.pth'),
    data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20, stack_length=5),
)
