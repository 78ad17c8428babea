# 2D RepFlow on HMDB51, split 1, fine-tuned from a Kinetics-400 checkpoint.
_base_ = [
    '../_base_/models/repflow_r50.py',
    '../_base_/datasets/hmdb51_split1_32x224.py',
    '../_base_/schedules/sgd_60e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=51))
# Your own, trained with configs/repflow_r50_kinetics.py.
load_from = 'checkpoints/repflow_r50_kinetics.pth'
# Our choice: a tenth of the learning rate.
optim_wrapper = dict(optimizer=dict(lr=0.001))
