# The demo's flow stream with its flow computed in the data workers, a thread each: for a training on a GPU.
_base_ = './rgb_r18_motion_clips.py'

# The settings of flow_r18_motion_clips.py. Flow replaces the frames directly before FormatShape.
compute_flow = dict(type='ComputeFlow', bound=5, parameters=dict(num_scales=3, num_warps=2, outer_iters=1))
train_pipeline = [*_base_.train_pipeline[:-2], compute_flow, *_base_.train_pipeline[-2:]]
test_pipeline = [*_base_.test_pipeline[:-2], compute_flow, *_base_.test_pipeline[-2:]]

num_workers = 2
train_dataloader = dict(num_workers=num_workers, persistent_workers=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=num_workers, persistent_workers=True, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    backbone=dict(in_channels=2),
    data_preprocessor=dict(_delete_=True, type='ActionDataPreprocessor', format_shape='NCTHW'),
)
