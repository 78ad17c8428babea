# The authors' scripts for baselines: learning rate 0.005, 100 epochs. Our choice: the rest as for the flow networks.
_base_ = './sgd_60e.py'

max_epochs = 100
optim_wrapper = dict(optimizer=dict(lr=0.005))
train_cfg = dict(max_epochs=max_epochs)
