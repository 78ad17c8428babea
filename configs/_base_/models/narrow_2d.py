# A quarter of the width for MMAction2's 2D networks, whose widths are in their code.
narrow = dict(
    conv_cfg=dict(type='NarrowConv2d', width=0.25),
    norm_cfg=dict(type='NarrowBatchNorm2d', width=0.25),
)
