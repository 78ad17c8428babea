import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT

from repflow_mm.sweeps import ablate

CONFIGS = [f'configs/demo/ablations/{name}_r18_motion-clips-hard.py' for name in ('rgb', 'repflow-block1')]
RUNS = [Path('runs', Path(config).stem, 'seed0') for config in CONFIGS]
OPTIONS = ['train_cfg.max_epochs=3', 'train_cfg.val_interval=3', 'param_scheduler.0.T_max=3']


@pytest.fixture(autouse=True)
def variables(motion_clips, monkeypatch):
    """What the sweeps, and the processes that they start, read from the environment; and where they start."""
    for name, value in dict(MOTION_CLIPS_HARD=motion_clips, PYTHONPATH=ROOT, OMP_NUM_THREADS=1).items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(ROOT)


def arguments(work_dir):
    """The command line of the sweep of two configs of the demo."""
    return [*CONFIGS, '--seeds', '0', '--work-dir', str(work_dir), '--cfg-options', *OPTIONS]


def kill_once_there(path, work_dir):
    """Start the sweep in a process of its own, and kill that when a file is there."""
    command = [sys.executable, 'tools/ablate.py', *arguments(work_dir)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline and process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def finish(work_dir):
    """Let the sweep go to its end; returns what it printed, and the log of its second run."""
    lines = []
    assert ablate.main(arguments(work_dir), show=lines.append) == 0, lines
    return ''.join(lines), (work_dir / RUNS[1] / 'log.txt').read_text()


def test_killed_sweep_goes_on_to_the_table_of_an_undisturbed_one(tmp_path):
    killed, undisturbed = tmp_path / 'killed', tmp_path / 'undisturbed'
    kill_once_there(killed / RUNS[1] / 'epoch_1.pth', killed)
    assert [(killed / run / 'result.json').exists() for run in RUNS] == [True, False]
    # The first run ended before the kill: the undisturbed sweep need not train it again.
    shutil.copytree(killed / RUNS[0], undisturbed / RUNS[0], symlinks=True)

    for work_dir in (killed, undisturbed):
        text, log = finish(work_dir)
        assert text.count('done before') == 1
        assert ('resumed epoch' in log) == (work_dir == killed)
    for name in ('configs.csv', 'configs.md'):
        assert (killed / name).read_text() == (undisturbed / name).read_text()
