# Our choice: 8 clips on each of 8 GPUs; the learning rate grows with the batch from the authors' 0.01 for 24 clips.
_base_ = './sgd_60e.py'

optim_wrapper = dict(optimizer=dict(lr=0.01 * 64 / 24))
auto_scale_lr = dict(base_batch_size=64)
