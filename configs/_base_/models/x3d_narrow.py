# X3D with the bottlenecks of X3D-S at the width of the other networks (16 to 128 channels), from scratch, and as many
# blocks as the network that X3D grows from (1, 2, 5 and 3), as the 26 of X3D-S take too long on a CPU.
_base_ = './rgb_r18_narrow.py'

backbone = dict(type='X3D', gamma_w=2 / 3, gamma_b=2.25, gamma_d=1)
head = dict(type='X3DHead', num_classes=16, in_channels=288, dropout_ratio=0.2, fc1_bias=False, average_clips='prob')
model = dict(
    backbone=dict(_delete_=True, type='WithFlow', backbone=backbone),
    cls_head=dict(_delete_=True, **head),
)
