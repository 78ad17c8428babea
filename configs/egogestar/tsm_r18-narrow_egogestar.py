# TSM, ResNet-18, a quarter as wide.
_base_ = ['./rgb_r18-narrow_egogestar.py', '../_base_/models/narrow_2d.py']

backbone = dict(type='ResNetTSM', depth=18, num_segments=16, shift_div=8, pretrained2d=False, **_base_.narrow)
model = dict(
    _delete_=True,
    type='Recognizer2D',
    backbone=dict(type='WithFlow', backbone=backbone),
    cls_head=dict(
        type='TSMHead', num_classes=10, in_channels=128, num_segments=16, dropout_ratio=0.2, average_clips='prob'
    ),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
)

shape = dict(FormatShape=dict(input_format='NCHW'))
train_pipeline = [{**step, **shape.get(step['type'], {})} for step in _base_.train_pipeline]
test_pipeline = [{**step, **shape.get(step['type'], {})} for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
