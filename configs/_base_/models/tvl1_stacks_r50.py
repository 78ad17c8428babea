# 2D flow CNN on stacks of 10 flows from disk: ResNet-50 on each stack, scores averaged over the stacks, as TSN has it
# (Wang et al., ECCV 2016), with ImageNet weights whose first convolution is averaged over RGB.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='RepFlowResNet',
        depth=50,
        in_channels=20,
        num_segments=1,  # each stack stands for itself
        pretrained='https://download.pytorch.org/models/resnet50-11ad3fa6.pth',
    ),
    # Our choice: dropout 0.5, as the RGB network has it.
    cls_head=dict(type='TSNHead', num_classes=400, in_channels=2048, dropout_ratio=0.5, average_clips='prob'),
    # From levels to u / bound.
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[127.5], std=[127.5], format_shape='NCHW'),
)
