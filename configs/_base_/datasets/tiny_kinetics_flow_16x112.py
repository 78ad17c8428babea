# Tiny-Kinetics, clips of 16 flows from disk.
_base_ = ['../lists/tiny_kinetics_flow.py', '../pipelines/flow_16x112.py']

train_dataloader = dict(batch_size=24, dataset={{_base_.train_data}})
val_dataloader = dict(batch_size=24, dataset={{_base_.val_data}})
test_dataloader = dict(dataset={{_base_.val_data}})
