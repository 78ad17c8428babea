import ctypes
import os
import signal
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler

from repflow_mm.engine import ReadWatchHook


class Videos(Dataset):
    """Four samples; the third one hangs, with Python's lock, or crashes, if it is told to."""

    def __init__(self, hang=False, crash=False):
        self.hang, self.crash, self.notes = hang, crash, None

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with self.notes.reading(f'video {index}'):
            if self.hang and index == 2:
                ctypes.PyDLL(None).sleep(60)
            if self.crash and index == 2:
                os.kill(os.getpid(), signal.SIGSEGV)
            return index


@pytest.fixture
def hooks():
    hooks = []
    yield hooks
    for hook in hooks:
        hook.after_run(None)
        assert hook.watch is None


def begun(hooks, loader, mode='train', **options):
    hooks.append(ReadWatchHook(**options))
    getattr(hooks[0], f'before_{mode}')(SimpleNamespace(**{f'{mode}_dataloader': loader}))
    return hooks[0]


def fail(loader):
    """Read until a worker is lost; what is left of the loader must not raise the error again, in another test."""
    workers = iter(loader)
    try:
        # What a worker had sent last may be lost with it.
        with pytest.raises((RuntimeError, ConnectionError, EOFError)):
            list(workers)
    finally:
        torch._C._remove_worker_pids(id(workers))
        workers._worker_pids_set = False
        workers._shutdown_workers()


@pytest.mark.parametrize(
    ('timeout', 'error', 'message'),
    [
        ('600', TypeError, r"timeout must be a number or None, got '600'"),
        (True, TypeError, r'timeout must be a number or None, got True'),
        (0, ValueError, r'timeout must be > 0 seconds, got 0'),
        (float('nan'), ValueError, r'timeout must be > 0 seconds, got nan'),
    ],
)
def test_arguments(timeout, error, message):
    with pytest.raises(error, match=message):
        ReadWatchHook(timeout)


@pytest.mark.parametrize('mode', ['train', 'val', 'test'])
def test_a_worker_that_hangs_ends_the_epoch(hooks, mode):
    loader = DataLoader(Videos(hang=True), num_workers=2, timeout=60)
    hook = begun(hooks, loader, mode, timeout=1)
    fail(loader)
    assert hook.watch.ended() == ['video 2']


def test_what_a_worker_read_that_crashed_is_known(hooks):
    loader = DataLoader(Videos(crash=True), num_workers=1)
    hook = begun(hooks, loader)
    fail(loader)
    assert hook.watch.unfinished_reads() == ['video 2'] and hook.watch.ended() == []


@pytest.mark.parametrize(('own', 'expected'), [(0, 40), (7, 7)])
def test_loaders_with_workers_get_a_timeout(hooks, own, expected):
    loader = DataLoader(Videos(), batch_size=3, num_workers=2, timeout=own)
    begun(hooks, loader, timeout=10)
    assert loader.timeout == expected


@pytest.mark.parametrize('timeout', [None, 10])
def test_a_timeout_without_workers_is_dropped(hooks, timeout):
    loader = DataLoader(Videos(), timeout=5)
    hook = begun(hooks, loader, timeout=timeout)
    assert loader.timeout == 0 and (hook.watch is None) == (timeout is None)


def test_one_watcher_serves_all_loaders_and_wrapped_datasets(hooks):
    inner = Videos()
    hook = begun(hooks, DataLoader(SimpleNamespace(datasets=[inner])))
    watch = hook.watch
    hook.before_val(SimpleNamespace(val_dataloader=DataLoader(Videos())))
    assert hook.watch is watch and inner.notes is watch.notes


def test_the_batch_size_is_found_in_a_batch_sampler_of_another(hooks):
    inner = BatchSampler(SequentialSampler(Videos()), batch_size=3, drop_last=False)
    loader = DataLoader(Videos(), batch_sampler=Wrapper(inner), num_workers=1)
    begun(hooks, loader, timeout=10)
    assert loader.timeout == 40


class Wrapper:
    """A batch sampler that goes on where another one was left."""

    def __init__(self, batch_sampler):
        self.batch_sampler = batch_sampler

    def __iter__(self):
        return iter(self.batch_sampler)
