# Fine-tuning. Our choice: a tenth of the learning rate.
_base_ = './sgd_60e.py'

optim_wrapper = dict(optimizer=dict(lr=0.001))
