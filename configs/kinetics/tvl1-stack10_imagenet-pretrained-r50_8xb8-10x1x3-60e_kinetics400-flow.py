# 2D flow CNN on Kinetics-400: stacks of 10 flows from disk. Our choice: the schedule of the flow networks.
_base_ = [
    '../_base_/models/tvl1_stacks_r50.py',
    '../_base_/datasets/kinetics400_flow-stack10_224.py',
    '../_base_/schedules/sgd_60e_8xb8.py',
    '../_base_/default_runtime.py',
]
