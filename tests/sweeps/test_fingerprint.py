import pytest
from mmengine.config import Config

from repflow_mm.sweeps.fingerprint import fingerprint_of

CONFIG = dict(
    model=dict(depth=18),
    train_dataloader=dict(batch_size=8),
    custom_hooks=[dict(type='StepSeedHook')],
    default_hooks=dict(logger=dict(interval=20)),
    num_frames=16,
)


@pytest.mark.parametrize(
    'changed',
    [
        dict(default_hooks=dict(logger=dict(interval=10)), visualizer=dict(type='ActionVisualizer'), num_frames=8),
        dict(custom_hooks=[dict(type='FiniteNumbersHook'), dict(type='StepSeedHook')], load_from=None),
    ],
)
def test_what_decides_nothing_may_change(changed):
    assert fingerprint_of(Config({**CONFIG, **changed})) == fingerprint_of(Config(CONFIG))


@pytest.mark.parametrize(
    'changed', [dict(model=dict(depth=34)), dict(custom_hooks=[dict(type='EMAHook')]), dict(load_from='weights.pth')]
)
def test_what_decides_the_result_may_not(changed):
    assert fingerprint_of(Config({**CONFIG, **changed})) != fingerprint_of(Config(CONFIG))
