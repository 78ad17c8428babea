# 2D RGB on Kinetics-400. Our choice: the schedule of the flow networks.
_base_ = '../repflow_r50_kinetics.py'

model = dict(backbone=dict(flow=None))
