import torch
from torch import nn
from torch.testing import assert_close

from repflow_mm.models import FlowBlock
from repflow_mm.models.layers.component_means import start_conv_as_means, start_expand_as_means


def conv_of(in_channels, out_channels, kernel_size, start=0.0):
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
    nn.init.constant_(conv.weight, start)
    return conv


def test_conv_starts_as_the_mean_of_its_own_component():
    conv = conv_of(8, 8, 3)
    start_conv_as_means(conv)
    x = torch.rand(2, 8, 5, 5)
    out = conv(x)[:, :, 1:-1, 1:-1]
    for half in (slice(0, 4), slice(4, 8)):
        mean = nn.functional.avg_pool2d(x[:, half].mean(dim=1, keepdim=True), 3, stride=1)
        assert_close(out[:, half], mean.expand_as(out[:, half]))


def test_a_tenth_of_the_random_weights_is_left():
    conv = conv_of(4, 4, 3, start=5.0)
    start_conv_as_means(conv)
    assert_close(conv.weight[0, :2], torch.full((2, 3, 3), 0.5 + 1 / 18))
    assert_close(conv.weight[0, 2:], torch.full((2, 3, 3), 0.5))


def test_expand_sees_the_means_of_the_components_of_each_flow():
    conv = conv_of(4 + 8, 4000, 1)
    start_expand_as_means(conv, [4, 8])
    weight = conv.weight[:, :, 0, 0]
    groups = weight.split([2, 2, 4, 4], dim=1)
    for group in groups:
        assert_close(group, group[:, :1].expand_as(group))  # a mean: channels of a component have one weight
        assert abs((group.sum(dim=1)).std() - 1) < 0.05  # ... and together one that is drawn from N(0, 1)
    sums = torch.stack([group.sum(dim=1) for group in groups])
    assert (torch.corrcoef(sums) - torch.eye(4)).abs().max() < 0.1


def test_a_window_is_averaged_over():
    torch.manual_seed(0)
    small, large = conv_of(4, 6, 1), conv_of(4, 6, 3)
    for conv in (small, large):
        torch.manual_seed(1)
        start_expand_as_means(conv, [4])
    assert_close(large.weight, (small.weight / 9).expand_as(large.weight))


def test_block_starts_with_means():
    torch.manual_seed(0)
    block = FlowBlock(6, channels=16, steps=('flow', 'conv', 'flow'), outputs='all', init='mean')
    own = block.steps['conv1'][0].weight[:16, :16].mean()
    assert abs(own - 1 / (16 * 9)) < 1e-3 and block.steps['conv1'][0].weight[:16, 16:].mean().abs() < 1e-3
    kaiming = FlowBlock(6, channels=16, steps=('flow', 'conv', 'flow'), outputs='all')
    assert block.expand.in_channels == kaiming.expand.in_channels == 64
    x_part = torch.stack([weight[:16, 0, 0] for weight in block.expand.weight])
    assert (x_part.std(dim=1) < 0.1 * (2 / 64) ** 0.5).all()
