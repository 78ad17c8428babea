# MMAction2's schedule of TSM: 50 epochs, learning rate 0.01 for 64 clips, divided by 10 after 20 and 40, five times as
# much for the classifier's weights and ten times for its biases, no weight decay of norms and of these.
# TSMOptimWrapperConstructor, which says so there, has no place for the flow's terms, which learn at 0.01 of it here.
max_epochs = 50
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(
        norm_decay_mult=0,
        custom_keys={
            'steps.flow': dict(lr_mult=0.01),
            'fc_cls.weight': dict(lr_mult=5),
            'fc_cls.bias': dict(lr_mult=10, decay_mult=0),
        },
    ),
    clip_grad=dict(max_norm=20, norm_type=2),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[20, 40], gamma=0.1, end=max_epochs, by_epoch=True)]
train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=max_epochs, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=64)
