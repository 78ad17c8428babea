# Flow of flow (FcF) in the 2D ResNet-50, with the authors' block: flow, 3x3 and 1x1 convolutions, flow, a 3x3
# convolution and a norm that starts at 0, added to the features averaged over three frames.
_base_ = './repflow_r50.py'

model = dict(
    backbone=dict(
        flow=dict(steps=('flow', 'conv', 'flow'), expand_kernel_size=3, fusion='add', zero_init_norm=True),
    ),
)
