"""Datasets that go on where a sample's files are broken: another sample in training, a stand-in in testing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from repflow_mm.datasets.bad_data import BadDataError
from repflow_mm.read_watch import ReadNotes

# The key of a data sample's metainfo under which its broken files are listed.
BAD_DATA_KEY = 'bad_data'
# Samples that are tried in the place of a broken one before the data as a whole counts as unreadable.
MOST_TRIES = 50


class ReplacingDataset(BaseDataset):
    """A base of datasets whose broken samples, those that raise :class:`BadDataError`, can be tolerated.

    By itself it raises the error, with the list and the line. Once :meth:`tolerate_bad_data` has been called, as
    :class:`repflow_mm.engine.BadDataHook` does, what it gives in the place of a broken sample is packed as any other,
    and its data sample's metainfo has ``bad_data``: a dict of ``path``, ``place`` (list and line), ``status`` and
    ``reason`` for each file that was found broken. Other errors are the program's, and always raised.

    In training another sample of the list takes its place. Which one follows from the seed, the epoch and the index
    of the broken one alone, so that neither workers nor other broken samples change it. In testing (``test_mode``) a
    stand-in has the sample's own label and name and another one's frames; whoever asks for it has to see that the
    prediction does not count.

    Unlike MMEngine's BaseDataset, it never draws at random: ``max_refetch`` is without effect, and a pipeline that
    gives None has found a broken sample.
    """

    # Where reads are noted for a watcher that ends those that hang; None for nowhere.
    notes: ReadNotes | None = None
    _seed_and_epoch: torch.Tensor | None = None

    def tolerate_bad_data(self, seed: int = 0, epoch: int = 0) -> None:
        """Go on where a sample is broken, from now on.

        Args:
            seed (int): The run's seed. Defaults to 0.
            epoch (int): The epoch that begins; workers that persist see it change. Defaults to 0.
        """
        if self._seed_and_epoch is None:
            self._seed_and_epoch = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._seed_and_epoch.copy_(torch.tensor((seed, epoch)))

    def raise_bad_data(self) -> None:
        """Raise the error of a broken sample, from now on."""
        self._seed_and_epoch = None

    def __getitem__(self, idx: int) -> Any:
        """The packed sample, or what takes its place.

        Raises:
            BadDataError: If it is broken, or, where that is tolerated, no other sample can be read either.
        """
        if not self._fully_initialized:
            print_log('Call full_init() first, which every worker does by itself', 'current', logging.WARNING)
            self.full_init()
        try:
            return self._read(idx)
        except BadDataError as error:
            if self._seed_and_epoch is None:
                raise
            first = error
        found = [_record(first)]
        for other in self._others(idx):
            try:
                data = self._read(other)
            except BadDataError as error:
                found.append(_record(error))
                continue
            return self._marked(idx, data, found, first)
        raise BadDataError(f'{first}; {len(found) - 1} samples tried in its place are broken too', first.path)

    def _read(self, idx: int) -> Any:
        info = self.get_data_info(idx)
        path, place = _path(info), info.get('place', f'sample {idx}')
        try:
            with self.notes.reading(f'{place}: {path}') if self.notes else nullcontext():
                data = self.pipeline(info)
            if data is None:
                raise BadDataError(f'{path}: the pipeline gives nothing', path, 'nothing')
            return data
        except BadDataError as error:
            error.located(place, path)
            raise

    def _others(self, idx: int) -> Iterator[int]:
        """The samples that are tried in the place of one."""
        seed, epoch = (0, 0) if self.test_mode else self._seed_and_epoch.tolist()
        order = np.random.default_rng((seed, epoch, idx)).permutation(len(self))
        yield from (int(other) for other in order[: MOST_TRIES + 1] if other != idx)

    def _marked(self, idx: int, data: dict, found: list[dict], error: BadDataError) -> dict:
        if not isinstance(data, dict) or not hasattr(data.get('data_samples'), 'set_metainfo'):
            # Nothing could say that the sample is not what it should be.
            raise error
        sample = data['data_samples']
        if self.test_mode:
            info = self.get_data_info(idx)
            sample.set_gt_label(info['label'])
            sample.set_metainfo({key: info[key] for key in sample.metainfo_keys() if key in info})
        sample.set_metainfo({BAD_DATA_KEY: found})
        return data


def _path(info: dict) -> str:
    return str(info.get('filename', info.get('frame_dir', '')))


def _record(error: BadDataError) -> dict:
    """A broken file in plain values, which go through processes and files."""
    return dict(path=error.path, place=error.place, status=error.status, reason=str(error))
