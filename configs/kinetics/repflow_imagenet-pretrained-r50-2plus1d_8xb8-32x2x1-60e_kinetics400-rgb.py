# (2+1)D RepFlow on Kinetics-400: flow after block 3, where T is 8.
_base_ = [
    '../_base_/models/repflow_r50_2plus1d.py',
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

# Our choice: the learning rate grows with the batch from the authors' 0.01 for 24 clips.
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=0.01 * 64 / 24))
auto_scale_lr = dict(base_batch_size=64)
