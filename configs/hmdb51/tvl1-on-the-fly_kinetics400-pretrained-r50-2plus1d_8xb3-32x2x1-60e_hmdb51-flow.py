# (2+1)D flow CNN on HMDB51, fine-tuned from a Kinetics-400 checkpoint, with nothing on disk.
_base_ = './rgb_kinetics400-pretrained-r50-2plus1d_8xb3-32x2x1-60e_hmdb51-rgb.py'

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$HMDB51_SPLIT:1}}'
model = dict(backbone=dict(in_channels=2), data_preprocessor=dict(_delete_=True, type='FlowDataPreprocessor', bound=20))
# Your own, trained with the config of this name in configs/kinetics.
load_from = 'checkpoints/tvl1-on-the-fly_imagenet-pretrained-r50-2plus1d_8xb8-32x2x1-60e_kinetics400-flow.pth'
