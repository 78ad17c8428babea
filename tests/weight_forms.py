"""The forms in which people have the weights of a network; each function gives what is saved."""

from collections import OrderedDict

from mmengine.model import ExponentialMovingAverage
from torch.optim.swa_utils import AveragedModel


def renamed(model, change):
    """A state dict as a wrapper of the model saves it, torch's record of the modules' versions with it."""
    state = model.state_dict()
    new = OrderedDict((change(name), value) for name, value in state.items())
    new._metadata = OrderedDict({'': dict(version=1)})
    for path, version in state._metadata.items():
        new._metadata[change(f'{path}.' if path else '').removesuffix('.')] = version
    return new


def in_front(prefix):
    return lambda model: renamed(model, lambda name: prefix + name)


def averaged(kind, *arguments, prefix=''):
    def form(model):
        state = kind(model, *arguments).state_dict()
        return OrderedDict((prefix + name, value) for name, value in state.items())

    return form


def with_buffers_of_mmcv(model):
    """MMCV 1.x's EMAHook: the average under the network's names, the last weights in buffers beside it."""
    state = model.state_dict()
    return {**state, **{'ema_' + name.replace('.', '_'): value + 1 for name, value in state.items()}}


def compiled_backbone(model):
    return renamed(model, lambda name: name.replace('backbone.', 'backbone._orig_mod.', 1))


STATE_DICTS = {
    'plain': lambda model: model.state_dict(),
    'distributed': in_front('module.'),
    'compiled': in_front('_orig_mod.'),
    'compiled, distributed': in_front('module._orig_mod.'),
    'distributed, compiled': in_front('_orig_mod.module.'),
    'three times': in_front('module._orig_mod.module.'),
    'compiled backbone': compiled_backbone,
    'compiled backbone, distributed': lambda model: {f'module.{k}': v for k, v in compiled_backbone(model).items()},
    'AveragedModel': averaged(AveragedModel),
    'AveragedModel, distributed': averaged(AveragedModel, prefix='module.'),
    'ExponentialMovingAverage': averaged(ExponentialMovingAverage, 0.1),
    'EMAHook of MMCV 1.x': with_buffers_of_mmcv,
}
