import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset

from repflow_mm.engine.loops import sample_order
from repflow_mm.engine.loops.sample_order import SampleOrder, SeededDataset, resumable_loader


class Augmented(Dataset):
    """Samples that are their index and random draws of each library's."""

    metainfo = dict(name='augmented')

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), torch.rand(()).item()


def epoch_of(batch_size=2, rank=0, num_ranks=1, first_batch=0, seed=3, epoch=5, **settings):
    """The samples of an epoch by rank, from an arbitrary state of the process."""
    for library in (random.seed, np.random.seed, torch.manual_seed):
        library(np.random.SeedSequence().entropy % 2**32)
    dataset = Augmented()
    sampler = DefaultSampler(dataset, seed=1)
    sampler.rank, sampler.world_size, sampler.num_samples = rank, num_ranks, 10 // num_ranks
    sampler.set_epoch(epoch)
    loader = resumable_loader(DataLoader(dataset, batch_size, sampler=sampler, collate_fn=list, **settings))
    loader.batch_sampler.start(seed, epoch, first_batch)
    return [sample for batch in loader for sample in batch]


def test_samples_follow_seed_epoch_and_place_alone():
    drawn = epoch_of()
    assert drawn == epoch_of()
    assert sorted(sample[0] for sample in drawn) == list(range(10))
    for other in (epoch_of(seed=4), epoch_of(epoch=6)):
        assert not {value for sample in drawn for value in sample[1:]} & {
            value for sample in other for value in sample[1:]
        }
    assert len({value for sample in drawn for value in sample[1:]}) == 30


@pytest.mark.parametrize('settings', [dict(), dict(num_workers=2), dict(num_workers=2, persistent_workers=True)])
def test_the_rest_of_an_epoch_is_that_of_a_whole_one(settings):
    assert epoch_of(first_batch=3, **settings) == epoch_of()[6:]


def test_ranks_share_the_samples_of_a_batch(monkeypatch):
    whole = epoch_of(batch_size=2)
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr(sample_order, 'get_dist_info', lambda rank=rank: (rank, 2))
        parts.append(epoch_of(batch_size=1, rank=rank, num_ranks=2))
    assert [sample for pair in zip(*parts) for sample in pair] == whole


def test_left_out_samples_are_not_loaded(monkeypatch):
    loaded = []
    monkeypatch.setattr(Augmented, '__getitem__', lambda self, index: loaded.append(index))
    epoch_of(first_batch=4)
    assert len(loaded) == 2


def test_a_persistent_worker_hears_of_the_next_epoch():
    loader = resumable_loader(DataLoader(Augmented(), 5, num_workers=1, persistent_workers=True, collate_fn=list))
    epochs = []
    for epoch in (0, 1, 0):
        loader.batch_sampler.start(1, epoch, 0)
        epochs.append(list(loader))
    assert epochs[0] == epochs[2] != epochs[1]


def first_places():
    return next(iter(SampleOrder(BatchSampler(range(10), 4, drop_last=False))))


@pytest.mark.parametrize(
    'load', [lambda data, places: data[places[0]], SeededDataset.__getitems__], ids=['a sample', 'a batch']
)
def test_loading_leaves_the_random_state_of_the_process_alone(load):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load(SeededDataset(Augmented()), first_places())
    assert torch.equal(torch.rand(1), expected)


def test_a_batch_has_the_samples_that_are_asked_for_one_by_one():
    dataset, places = SeededDataset(Augmented()), first_places()
    samples = dataset.__getitems__(places)
    assert samples == [dataset[place] for place in reversed(places)][::-1] and len(samples) == 4


def test_seeded_data_set_answers_for_its_own():
    dataset = SeededDataset(Augmented())
    assert dataset.metainfo == dict(name='augmented') and len(dataset) == 10 and dataset[3][0] == 3
    assert pickle.loads(pickle.dumps(dataset)).metainfo == dataset.metainfo
    with pytest.raises(AttributeError):
        dataset.missing  # noqa: B018


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))


@pytest.mark.parametrize('loader', [DataLoader(Stream()), DataLoader(Augmented(), batch_size=None)])
def test_loaders_without_batches_of_indices_are_refused(loader):
    with pytest.raises(ValueError, match='train_dataloader must have a batch_size and a data set with a length, got'):
        resumable_loader(loader)
