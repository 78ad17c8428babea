# TSM with flow on UCF101, from MMAction2's weights of tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.
_base_ = [
    '../_base_/models/repflow_tsm_r50.py',
    '../_base_/datasets/ucf101_tsm-8x224.py',
    '../_base_/schedules/sgd_tsm_50e.py',
    '../_base_/default_runtime.py',
]

work_dir = './work_dirs/{{fileBasenameNoExtension}}/split{{$UCF101_SPLIT:1}}'
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb_20220831-64d69186.pth'
model = dict(backbone=dict(backbone=dict(pretrained=None, pretrained2d=False)), cls_head=dict(num_classes=101))

# MMAction2's tsm_k400_pretrained_r50_1x1x8_25e_ucf101_rgb (0.x). Our choice: flips too.
max_epochs = 25
optim_wrapper = dict(optimizer=dict(lr=0.0015))
param_scheduler = [dict(type='MultiStepLR', milestones=[10, 20], gamma=0.1, end=max_epochs, by_epoch=True)]
train_cfg = dict(max_epochs=max_epochs)
auto_scale_lr = dict(base_batch_size=96)
