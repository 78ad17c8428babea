"""The end of a training that is asked to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from repflow_mm.engine.hooks.checkpoint_hook import ResumableCheckpointHook
from repflow_mm.ops.arguments import check_count
from repflow_mm.processes import leave_signals_to_parent

# Slurm sends SIGTERM, and with --signal=USR1@120 SIGUSR1 two minutes before; SIGINT is Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
# torchrun passes on a Ctrl-C that its processes have had already.
_SECONDS_OF_ONE_INTERRUPT = 1.0


class TrainingStopped(SystemExit):
    """A training ends as it was asked to; the exit code is 128 and the signal's number.

    Args:
        signum (int): The signal.
        checkpoint (str, optional): Where the run's state is; None if it is not saved.
    """

    def __init__(self, signum: int, checkpoint: str | None) -> None:
        super().__init__(128 + signum)
        self.signum, self.checkpoint = signum, checkpoint


@HOOKS.register_module()
class InterruptionHook(Hook):
    """On SIGTERM, SIGUSR1 and Ctrl-C: finish the step, save the run's state, and end with code 128 + signal number.

    The codes are 143, 138 and 130. All ranks of a distributed run stop at the same step, whichever of them got the
    signal; a rank learns of it by an all-reduce of one number. During validation the state before it is saved, and
    a resumed run validates first. A second Ctrl-C ends the process at once. Needs :class:`ResumableCheckpointHook` to
    save; the first process writes.

    Args:
        interval (int): Steps between two looks at the other ranks. Defaults to 1.

    Raises:
        TypeError: If ``interval`` is no integer.
        ValueError: If it is less than 1.
    """

    # After the checkpoints.
    priority = 'LOWEST'

    def __init__(self, interval: int = 1) -> None:
        check_count('interval', interval)
        self.interval = interval
        self._signal = 0
        self._handlers = {}

    def before_train(self, runner: Runner) -> None:
        """Listen to the signals."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {signum: signal.signal(signum, self._note) for signum in SIGNALS}
            _listening.append(self)

    def after_train(self, runner: Runner) -> None:
        """Leave the signals to whom they belonged before."""
        self._restore_handlers()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Stop after this step if that was asked for."""
        if self.every_n_train_iters(runner, self.interval) and _has_updated(runner) and self._is_asked():
            self._stop(runner, dict(epoch=runner.epoch, iter=runner.iter + 1))

    def before_val(self, runner: Runner) -> None:
        """See for how many steps all ranks validate."""
        self._steps = _least(len(runner.val_loop.dataloader))

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None) -> None:
        """Stop in a validation during training."""
        is_common = batch_idx < self._steps and self.every_n_inner_iters(batch_idx, self.interval)
        if self._handlers and is_common and self._is_asked():
            runner.message_hub.update_info('loop_stage', 'train')
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # takes the averaged weights out of the model
                    hook.after_val_epoch(runner)
            self._stop(runner, dict(epoch=runner.epoch, iter=runner.iter))

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT:
            is_another = self._signal == signum and time.monotonic() - self._since > _SECONDS_OF_ONE_INTERRUPT
            if is_another or 'TORCHELASTIC_RUN_ID' not in os.environ:
                # The next one is not for Python, which may be waiting for something that never comes.
                signal.signal(signum, signal.SIG_DFL)
        if not self._signal:
            self._signal, self._since = signum, time.monotonic()

    def _is_asked(self) -> bool:
        """Whether any rank got a signal, which is this rank's too then."""
        if get_world_size() > 1:
            number = torch.tensor(int(self._signal))
            all_reduce(number, op='max')
            self._signal = int(number)
        return self._signal > 0

    def _stop(self, runner: Runner, meta: dict[str, int]) -> None:
        checkpoint = self._save(runner, meta)
        # A launcher ends all ranks when the first one has ended.
        barrier()
        signum, self._signal = self._signal, 0
        runner.logger.info(f'stopped by {signal.Signals(signum).name} after iteration {meta["iter"]}')
        self._restore_handlers()
        raise TrainingStopped(signum, checkpoint)

    def _save(self, runner: Runner, meta: dict[str, int]) -> str | None:
        """Save the run's state if that is possible; the first rank's trouble must not leave the others waiting."""
        savers = [hook for hook in runner.hooks if isinstance(hook, ResumableCheckpointHook)]
        try:
            return savers[0].save_interrupted(runner, meta) if savers else None
        except (OSError, FloatingPointError) as error:
            runner.logger.error(f'the state of the run cannot be saved: {error}')
            return None

    def _restore_handlers(self) -> None:
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)
        self._handlers = {}
        if self in _listening:
            _listening.remove(self)


def release_signals() -> None:
    """Give the signals back after a training, however it ended."""
    for hook in list(_listening):
        hook._restore_handlers()


# The hooks of trainings that are going on in this process.
_listening: list[InterruptionHook] = []


def _in_forked_process() -> None:
    if _listening:
        _listening.clear()
        leave_signals_to_parent(SIGNALS)


# Data workers get the signals of their group, too; without them a step that waits for data could not be finished.
os.register_at_fork(after_in_child=_in_forked_process)


def _has_updated(runner: Runner) -> bool:
    """Whether no accumulated gradients wait for an update, which no checkpoint holds."""
    wrapper = runner.optim_wrapper
    return not isinstance(wrapper, OptimWrapper) or wrapper.should_update()


def _least(number: int) -> int:
    """The least number of all ranks."""
    least = torch.tensor(number)
    all_reduce(least, op='min')
    return int(least)
