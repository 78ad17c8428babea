"""Signals to trainings in processes of their own, and in several processes."""

import functools
import itertools
import os
import signal
import subprocess
import sys

import pytest
from helpers import ROOT, fork_ranks, run
from mmengine.runner import CheckpointLoader
from tiny_training import CONFIG, assert_same, final_state, stop, train

from repflow_mm.apis import train as train_api
from repflow_mm.chaos.failing_rank import FailingRankHook

pytestmark = pytest.mark.usefixtures('quick_start')
SIGNAL = "custom_hooks = [*_base_.custom_hooks, dict(type='SendSignal', step={step}, signals={signals}, {more})]\n"
number_of_runs = itertools.count()


@pytest.fixture
def write_config(tmp_path):
    """A config whose training sends signals in a step."""

    def write(step, *signals, workers=0, **more):
        more = ', '.join(f'{name}={value}' for name, value in more.items())
        text = SIGNAL.format(step=step, signals=[int(number) for number in signals], more=more)
        file = tmp_path / 'config.py'
        file.write_text(f'{CONFIG.format(root=ROOT)}{text}train_dataloader["num_workers"] = {workers}\n')
        return file

    return write


def arguments(file, *flags):
    name = f'experiment_name=stopped{next(number_of_runs)}'
    return [str(file), '--work-dir', str(file.parent / 'run'), '--seed', '3', *flags, '--cfg-options', name]


def call(file, **settings):
    """Train in a process and process group of its own; returns its exit code and the lines that it printed."""
    path = f'{ROOT}:{ROOT / "tests"}'
    command = [sys.executable, '-m', 'repflow_mm', 'train', *arguments(file)]
    env = {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=file.parent, env=env, capture_output=True, text=True, timeout=120,
                          start_new_session=True)  # fmt: skip
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize(('signum', 'code'), [(signal.SIGINT, 130), (signal.SIGUSR1, 138), (signal.SIGTERM, 143)])
def test_the_last_line_is_the_command_that_goes_on(write_config, monkeypatch, capsys, signum, code):
    file = write_config(4, signum)
    monkeypatch.setattr(sys, 'argv', ['tools/train.py'])
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM)]
    given = arguments(file, '--resume', 'auto') if signum == signal.SIGTERM else arguments(file)
    with pytest.raises(SystemExit) as ended:
        train_api.main(given)
    assert ended.value.code == code
    checkpoint = file.parent / 'run' / 'interrupted.pth'
    more = '' if '--resume' in given else ' --resume auto'
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f'stopped by {signum.name}; its state is in {checkpoint}',
        f'to go on: tools/train.py {" ".join(given)}{more}',
    ]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM)] == handlers


def test_a_signal_to_the_whole_group_leaves_the_workers_at_work(write_config, undisturbed):
    """A launcher or a terminal sends a signal to all processes of a group."""
    file = write_config(7, signal.SIGTERM, signal.SIGUSR1, workers=2, to_group=True)
    code, lines, error = call(file)
    assert (code, lines[-1].split(' --work-dir')[0]) == (143, f'to go on: repflow-mm train {file}'), error
    train(file.parent / 'run', resume=True, seed=None)
    assert_same(final_state(file.parent / 'run'), undisturbed())


def test_a_second_interrupt_ends_at_once(write_config):
    file = write_config(1, signal.SIGINT, signal.SIGINT)
    code, _, _ = call(file)
    assert code == -signal.SIGINT
    assert not list(file.parent.glob('run/*.pth'))


def run_ranks(work_dir, num_ranks, *disturbance, disturbed=0, **settings):
    """Train in forks of this process; one of them is disturbed. Returns their exit codes."""

    def work(rank):
        mine = disturbance if rank == disturbed else ()
        end = train(work_dir, *mine, launcher='pytorch', **settings)
        os._exit(0 if end is None else end.code)

    return fork_ranks(num_ranks, work)


HALF = dict(changes={'train_dataloader.batch_size': 2})
NO_STATISTICS = {'model.has_batch_norm': False, 'model.dropout': 0.0}


@pytest.mark.parametrize(('stage', 'at', 'step'), [('before_train_iter', 4, 4), ('before_val_iter', 2, 12)])
def test_all_ranks_stop_at_one_step_and_go_on(tmp_path, stage, at, step):
    """The signal reaches one rank alone, and each has statistics of batch norm of its own."""
    assert run_ranks(tmp_path / 'undisturbed', 2, **HALF) == [0, 0]
    assert run_ranks(tmp_path / 'run', 2, stage, at, stop, disturbed=1, **HALF) == [143, 143]
    checkpoint = CheckpointLoader.load_checkpoint(str(tmp_path / 'run' / 'interrupted.pth'))
    assert checkpoint['meta']['iter'] == step
    assert run_ranks(tmp_path / 'run', 2, resume=True, **HALF) == [0, 0]
    assert_same(final_state(tmp_path / 'run'), final_state(tmp_path / 'undisturbed'))


def test_another_number_of_ranks_goes_on_with_the_same_samples(tmp_path, undisturbed):
    """Without what depends on the ranks, the weights are those of one process but for rounding."""
    whole = dict(changes={**NO_STATISTICS})
    half = dict(changes={**HALF['changes'], **NO_STATISTICS})
    assert run_ranks(tmp_path / 'run', 2, 'before_train_iter', 4, stop, **half) == [143, 143]
    train(tmp_path / 'run', resume=True, **whole)
    found, expected = final_state(tmp_path / 'run')['epoch_3.pth'], undisturbed(**whole)['epoch_3.pth']
    assert found['position'] == expected['position']
    for name, value in expected['state_dict'].items():
        assert (found['state_dict'][name] - value).norm() <= 1e-6 * value.norm(), name


def test_a_rank_that_dies_ends_the_others(tmp_path):
    """What waits for it gets an error, and does not wait for ever."""
    dies = FailingRankHook('is killed', iteration=3)
    action = functools.partial(dies.before_train_iter, batch_idx=3)
    assert run_ranks(tmp_path / 'run', 2, 'before_train_iter', 4, action, disturbed=1, **HALF) == [1, -signal.SIGKILL]


def test_torchrun_passes_a_signal_on(write_config, tmp_path):
    """torchrun has 1 as its exit code, whatever its processes say."""
    file = write_config(4, signal.SIGUSR1, rank=1)
    env = dict(MASTER_PORT=str(22000 + os.getpid() % 10000))
    done = run('bash', ROOT / 'tools' / 'dist_train.sh', file, 2, '--work-dir', tmp_path / 'run', '--seed', 3,
               cwd=tmp_path, path=(ROOT / 'tests',), **env)  # fmt: skip
    assert done.returncode == 1
    assert 'exitcode  : 138' in done.stderr, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith('to go on: ')]
    launch = f'MASTER_PORT={env["MASTER_PORT"]} {ROOT}/tools/launch/torchrun.sh 2 train.py {file}'
    assert line == f'to go on: {launch} --work-dir {tmp_path}/run --seed 3 --resume auto'
