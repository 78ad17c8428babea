"""How far a training is in its epoch, as its checkpoints say."""

from __future__ import annotations

from mmengine.dataset import DefaultSampler
from mmengine.dist import get_world_size
from mmengine.logging import MessageHub
from torch.utils.data import DataLoader

from repflow_mm.engine.hooks.resume_check_hook import CannotResumeError

_KEY = 'epoch_progress'


def note_epoch(hub: MessageHub, epoch: int, first_iter: int, loader: DataLoader) -> None:
    """Leave in the message hub, which every checkpoint holds, when an epoch began and what its order depends on.

    Args:
        hub (MessageHub): The runner's.
        epoch (int): Number of the epoch, from 0.
        first_iter (int): Number of iterations that were done when it began.
        loader (DataLoader): One of :func:`resumable_loader`.
    """
    hub.update_info(_KEY, dict(epoch=epoch, first_iter=first_iter, **_facts(loader)))


def batches_done(hub: MessageHub, epoch: int, iteration: int, loader: DataLoader) -> int:
    """How many batches of the epoch are done, for a runner that may have been resumed.

    Args:
        hub (MessageHub): The runner's.
        epoch (int): Number of epochs that are done.
        iteration (int): Number of iterations that are done.
        loader (DataLoader): One of :func:`resumable_loader`; its sampler takes over the seed of the resumed run's.

    Raises:
        CannotResumeError: If the run was interrupted in the middle of the epoch, and the loader has other batches.
    """
    noted = hub.runtime_info.get(_KEY)
    if noted is None:
        return 0
    sampler = loader.batch_sampler.sampler
    if noted['sampler_seed'] is not None:
        # MMEngine builds the sampler before it reads the checkpoint, so without --seed it would shuffle anew.
        sampler.seed = noted['sampler_seed']
    done = iteration - noted['first_iter'] if noted['epoch'] == epoch else 0
    if done:
        _check_same_batches(noted, _facts(loader), done, isinstance(sampler, DefaultSampler))
    return done


def _facts(loader: DataLoader) -> dict[str, int | None]:
    """What the order of the samples depends on."""
    order = loader.batch_sampler
    return dict(
        samples=len(loader.dataset),
        batches=len(order),
        batch_size=getattr(order.batch_sampler, 'batch_size', None),
        processes=get_world_size(),
        sampler_seed=getattr(order.sampler, 'seed', None),
    )


def _check_same_batches(noted: dict, found: dict, done: int, deals_in_turn: bool) -> None:
    # Ranks share the samples of a batch in a known way under DefaultSampler alone.
    free = {'batch_size', 'processes'} if deals_in_turn else set()
    same = all(noted[name] == found[name] for name in found if name not in free)
    if same and _samples_a_step(noted) == _samples_a_step(found):
        return
    raise CannotResumeError(
        f'cannot go on in the middle of an epoch with other batches: the checkpoint is from batch {done} of '
        f'{_described(noted)}, and this run has {_described(found)}. Take the same, or the checkpoint of a whole epoch'
    )


def _samples_a_step(facts: dict) -> int | None:
    return facts['batch_size'] and facts['batch_size'] * facts['processes']


def _described(facts: dict) -> str:
    return (
        f'{facts["batches"]} of {facts["samples"]} samples ({facts["processes"]} processes with a batch size of '
        f'{facts["batch_size"]})'
    )
