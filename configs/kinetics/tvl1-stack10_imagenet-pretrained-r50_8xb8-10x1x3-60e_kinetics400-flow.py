# 2D flow CNN on Kinetics-400: stacks of 10 flows from disk. Our choice: the schedule of the flow networks.
_base_ = [
    '../_base_/models/tvl1_stacks_r50.py',
    '../_base_/datasets/kinetics400_flow-stack10_224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

# Our choice: the learning rate grows with the batch from the authors' 0.01 for 24 clips.
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=0.01 * 64 / 24))
auto_scale_lr = dict(base_batch_size=64)
