# Video Swin-T with flow after the second stage, from MMAction2's weights of
# swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.
_base_ = ['../_base_/datasets/kinetics400_32x224.py', '../_base_/schedules/sgd_60e.py', '../_base_/default_runtime.py']

load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb_20220930-241016b2.pth'
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='WithFlow',
        backbone=dict(type='SwinTransformer3D', arch='tiny', pretrained2d=False, drop_path_rate=0.1),
        flow=dict(after='layers.1', channels=32, num_iters=20, fusion='add', zero_init_norm=True),
    ),
    cls_head=dict(type='I3DHead', num_classes=400, in_channels=768, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape='NCTHW'
    ),
    test_cfg=dict(max_testing_views=5),
)

# Our choice: AdamW as MMAction2 trains it, at a tenth of its learning rate.
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.02))
