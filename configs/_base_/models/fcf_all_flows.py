# Flow of flow (FcF) in which the first flow reaches the network beside the second, over the settings of one flow:
# without what keeps the form of the paper from learning fast (docs/flow_of_flow.md).
fcf = dict(steps=('flow', 'conv', 'flow'), outputs='all', init='mean', conv_padding='replicate')
