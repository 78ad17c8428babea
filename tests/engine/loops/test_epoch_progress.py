import pytest
from mmengine.dataset import DefaultSampler
from mmengine.logging import MessageHub
from torch.utils.data import DataLoader, RandomSampler

from repflow_mm.engine import CannotResumeError
from repflow_mm.engine.loops import epoch_progress
from repflow_mm.engine.loops.epoch_progress import batches_done, note_epoch
from repflow_mm.engine.loops.sample_order import resumable_loader


@pytest.fixture
def hub():
    MessageHub._instance_dict.pop('progress', None)
    return MessageHub.get_instance('progress')


def loader(size=24, batch_size=4, sampler=None, seed=5):
    data = list(range(size))
    return resumable_loader(DataLoader(data, batch_size, sampler=sampler or DefaultSampler(data, seed=seed)))


def test_batches_of_the_epoch_that_a_checkpoint_is_from(hub):
    assert batches_done(hub, 3, 20, loader()) == 0
    note_epoch(hub, epoch=3, first_iter=18, loader=loader())
    assert batches_done(hub, 3, 20, loader()) == 2
    assert batches_done(hub, 4, 24, loader()) == 0


def test_the_sampler_takes_the_seed_of_the_checkpoint(hub):
    note_epoch(hub, 0, 0, loader(seed=5))
    resumed = loader(seed=6)
    batches_done(hub, 1, 6, resumed)
    assert resumed.batch_sampler.sampler.seed == 5


@pytest.mark.parametrize('other', [dict(size=23), dict(batch_size=6), dict(size=48, batch_size=8)])
def test_other_batches_are_refused_in_the_middle_of_an_epoch(hub, other):
    note_epoch(hub, 0, 0, loader())
    with pytest.raises(CannotResumeError, match='^cannot go on in the middle of an epoch .* from batch 2'):
        batches_done(hub, 0, 2, loader(**other))
    assert batches_done(hub, 1, 6, loader(**other)) == 0


@pytest.mark.parametrize(('sampler', 'is_fine'), [(None, True), (RandomSampler(range(24)), False)])
def test_processes_may_share_batches_that_default_sampler_deals_out(hub, monkeypatch, sampler, is_fine):
    monkeypatch.setattr(epoch_progress, 'get_world_size', lambda: 2)
    note_epoch(hub, 0, 0, loader(batch_size=2, sampler=sampler or DefaultSampler(range(12), seed=5)))
    monkeypatch.undo()
    noted = hub.runtime_info['epoch_progress']
    assert (noted['batches'], noted['batch_size'], noted['processes']) == (6 if is_fine else 12, 2, 2)
    hub.runtime_info['epoch_progress'] = {**noted, 'samples': 24, 'batches': 6}
    if is_fine:
        assert batches_done(hub, 0, 2, loader()) == 2
    else:
        with pytest.raises(CannotResumeError, match=r'\(2 processes with a batch size of 2\), and this run has'):
            batches_done(hub, 0, 2, loader(sampler=sampler))
