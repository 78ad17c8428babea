# Flow of flow (FcF), with the authors' block, over the settings of one flow: flow, 3x3 and 1x1 convolutions, flow, a
# 3x3 convolution and a norm that starts at 0, added to the features averaged over three frames.
fcf = dict(steps=('flow', 'conv', 'flow'), expand_kernel_size=3, fusion='add', zero_init_norm=True)
