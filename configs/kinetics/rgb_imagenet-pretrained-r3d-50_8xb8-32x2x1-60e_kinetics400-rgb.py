# 3D RGB on Kinetics-400, the RGB stream of an I3D-style two-stream network.
_base_ = [
    '../_base_/models/rgb_r3d_50.py',
    '../_base_/datasets/kinetics400_32x224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

# Our choice: the learning rate grows with the batch from the authors' 0.01 for 24 clips.
train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=0.01 * 64 / 24))
auto_scale_lr = dict(base_batch_size=64)
