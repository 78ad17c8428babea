"""The order of an epoch's samples, from any batch on, and each sample's random state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mmengine.dist import get_dist_info
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

from repflow_mm.randomness import SAMPLE, kept_random_state, seed_cpu

# Settings that a loader takes over from another one, beside its data set and batches; in_order is torch 2.6's.
_SETTINGS = ('num_workers', 'collate_fn', 'pin_memory', 'timeout', 'worker_init_fn', 'multiprocessing_context',
             'generator', 'prefetch_factor', 'persistent_workers', 'in_order')  # fmt: skip


class SamplePlace(NamedTuple):
    """A sample's index in the data set, and the numbers that its random state follows from."""

    index: int
    numbers: tuple[int, ...]


class SampleOrder(Sampler):
    """The batches of another batch sampler, from some batch of the epoch on.

    Args:
        batch_sampler (Sampler): Gives lists of indices, in an order that its own sampler's seed and epoch determine.
    """

    def __init__(self, batch_sampler: Sampler) -> None:
        self.batch_sampler = batch_sampler
        self.start(seed=0, epoch=0, first_batch=0)

    @property
    def sampler(self) -> Sampler | None:
        """What orders the samples; MMEngine's DistSamplerSeedHook tells it the epoch."""
        return getattr(self.batch_sampler, 'sampler', None)

    def start(self, seed: int, epoch: int, first_batch: int) -> None:
        """Say where the next iteration begins.

        Args:
            seed (int): Seed of the run.
            epoch (int): Number of the epoch, from 0.
            first_batch (int): How many batches of the epoch are left out.
        """
        self.seed, self.epoch, self.first_batch = seed, epoch, first_batch

    def __iter__(self) -> Iterator[list[SamplePlace]]:
        seed, epoch, first_batch = self.seed, self.epoch, self.first_batch
        # Place in the order of all ranks, which DefaultSampler deals out in turn: a sample's augmentation is the same
        # however many ranks share a batch.
        place, num_ranks = get_dist_info()
        for number, indices in enumerate(self.batch_sampler):
            places = range(place, place + num_ranks * len(indices), num_ranks)
            place += num_ranks * len(indices)
            if number >= first_batch:
                yield [SamplePlace(index, (SAMPLE, seed, epoch, at)) for index, at in zip(indices, places)]

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self.batch_sampler)


class SeededDataset(Dataset):
    """Another data set, whose samples draw their augmentations from the random state of their place in the epoch.

    What a sample draws does not depend on the process that loads it, or on what that loaded before.

    Args:
        dataset (Dataset): The data set; all that is asked of this one beside samples is asked of it.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: SamplePlace | int) -> Any:
        with kept_random_state():
            return self._sample(place)

    def __getitems__(self, places: Sequence[SamplePlace | int]) -> list:
        """The samples of a batch, which loaders ask for at once; keeping the random state costs more than seeding."""
        with kept_random_state():
            return [self._sample(place) for place in places]

    def _sample(self, place: SamplePlace | int) -> Any:
        if not isinstance(place, SamplePlace):
            return self.dataset[place]
        seed_cpu(*place.numbers)
        return self.dataset[place.index]


class _LateLoader(DataLoader):
    """A loader whose workers start when the first batch is asked for, not when ``iter`` is called."""

    def __iter__(self) -> Iterator:
        yield from super().__iter__()


def resumable_loader(loader: DataLoader) -> DataLoader:
    """A loader of the same batches, with a :class:`SampleOrder` as its batch sampler and a :class:`SeededDataset`.

    Raises:
        ValueError: If the loader has no batch sampler, as one of an iterable data set or of single samples.
    """
    if loader.batch_sampler is None or isinstance(loader.dataset, IterableDataset):
        raise ValueError(
            'a training that can be resumed needs batches of indexed samples: train_dataloader must have a batch_size '
            f'and a data set with a length, got batch_size={loader.batch_size} and {type(loader.dataset).__name__}'
        )
    settings = {name: getattr(loader, name) for name in _SETTINGS if hasattr(loader, name)}
    return _LateLoader(SeededDataset(loader.dataset), batch_sampler=SampleOrder(loader.batch_sampler), **settings)
