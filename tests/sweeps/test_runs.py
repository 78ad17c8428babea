import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers import ROOT
from mmengine.config import DictAction

from repflow_mm.sweeps.rows import Network
from repflow_mm.sweeps.runs import Run, _call, _threads, as_options


def test_commands_train_with_the_seed_and_test_the_last_checkpoint(tmp_path):
    network = Network('narrow', Path('c.py'), (('a.b', (1, 2)), ('a.c', 3)))
    train, test = Run(network, 5, tmp_path, (('a.c', 4), ('a.d', [])), split=2).commands()
    overrides = ['--cfg-options', 'a.b=(1,2)', 'a.c=4', 'a.d=[]']
    folder = tmp_path / 'runs' / 'narrow' / 'split2' / 'seed5'
    assert train[:5] == [sys.executable, '-m', 'repflow_mm', 'train', 'c.py']
    assert train[5:] == ['--work-dir', str(folder), '--seed', '5', '--resume', 'auto', *overrides]
    assert test[3:6] == ['test', 'c.py', str(folder / 'last.pth')] and test[-4:] == overrides


def test_several_processes_have_a_launcher_and_a_port_of_their_own(tmp_path):
    for command in Run(Network('c', Path('c.py')), 5, tmp_path).commands(gpus=2):
        launcher = ['torch.distributed.run', '--standalone', '--nproc-per-node', '2', '-m', 'repflow_mm']
        assert command[:8] == [sys.executable, '-m', *launcher]
        assert command[-2:] == ['--launcher', 'pytorch']


@pytest.mark.parametrize('value', [3, 0.5, 'add', None, True, (), [], ('div',), ['theta', 'lam'], ((1, 0), (0, 1, 1))])
def test_overrides_come_back_from_the_command_line(value):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    assert parser.parse_args(as_options({'a.b': value})).cfg_options == {'a.b': value}
    assert as_options({}) == []


def test_jobs_share_the_cores(monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(8)))
    assert [_threads(jobs) for jobs in (1, 3, 20)] == [{}, {'OMP_NUM_THREADS': '2'}, {'OMP_NUM_THREADS': '1'}]
    monkeypatch.setenv('OMP_NUM_THREADS', '4')
    assert _threads(3) == {}


def test_training_ends_with_a_killed_sweep(tmp_path):
    marker = tmp_path / 'started'
    child = f'import os, pathlib, time; pathlib.Path({str(marker)!r}).write_text(str(os.getpid())); time.sleep(60)'
    sweep = (
        'import sys; from repflow_mm.sweeps.runs import _call\n'
        f'_call([sys.executable, "-c", {child!r}], open({str(tmp_path / "log.txt")!r}, "w"), {{}})'
    )
    parent = subprocess.Popen([sys.executable, '-c', sweep], cwd=ROOT)
    wait_until(lambda: marker.exists() and marker.read_text())
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_running(int(marker.read_text())))


def test_an_interrupted_sweep_lets_its_training_save(tmp_path):
    started, saved = tmp_path / 'started', tmp_path / 'saved'
    child = (
        f'import pathlib as p, time; p.Path({str(started)!r}).touch(); time.sleep(1); p.Path({str(saved)!r}).touch()'
    )

    def interrupt():
        wait_until(started.exists)
        os.kill(os.getpid(), signal.SIGALRM)

    # The processes of pytest-xdist take no SIGINT.
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), open(tmp_path / 'log.txt', 'w') as log:
        _call([sys.executable, '-c', child], log, {})
    signal.signal(signal.SIGALRM, before)
    assert saved.exists()


def is_running(process):
    status = Path(f'/proc/{process}/stat')
    return status.exists() and status.read_text().rpartition(')')[2].split()[0] != 'Z'


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
