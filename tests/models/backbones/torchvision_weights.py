"""Random weights with the names and shapes of torchvision's ResNets."""

import torch

BLOCKS = {18: (2, (2, 2, 2, 2)), 50: (3, (3, 4, 6, 3))}


def norm(name, channels):
    values = {key: torch.rand(channels) for key in ('weight', 'bias', 'running_mean', 'running_var')}
    return {f'{name}.{key}': value for key, value in values.items()} | {f'{name}.num_batches_tracked': torch.tensor(7)}


def torchvision_weights(depth):
    """Random weights with torchvision's names and shapes of a ResNet."""
    convs, blocks = BLOCKS[depth]
    weights = {'conv1.weight': torch.rand(64, 3, 7, 7), **norm('bn1', 64)}
    width_in = 64
    for stage, count in enumerate(blocks):
        planes = 64 * 2**stage
        width = planes * (1 if convs == 2 else 4)
        for block in range(count):
            name = f'layer{stage + 1}.{block}'
            widths = [width_in, planes, width] if convs == 2 else [width_in, planes, planes, width]
            sizes = [3, 3] if convs == 2 else [1, 3, 1]
            for i, size in enumerate(sizes):
                weights[f'{name}.conv{i + 1}.weight'] = torch.rand(widths[i + 1], widths[i], size, size)
                weights |= norm(f'{name}.bn{i + 1}', widths[i + 1])
            if block == 0 and width_in != width:
                weights[f'{name}.downsample.0.weight'] = torch.rand(width, width_in, 1, 1)
                weights |= norm(f'{name}.downsample.1', width)
            width_in = width
    return weights | {'fc.weight': torch.rand(1000, width_in), 'fc.bias': torch.rand(1000)}
