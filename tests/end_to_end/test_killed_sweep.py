import os
import signal
import subprocess
import sys
import time

from helpers import ROOT

CONFIGS = [f'configs/demo/ablations/{name}_r18_motion-clips-hard.py' for name in ('rgb', 'repflow-block1')]
OPTIONS = ['train_cfg.max_epochs=3', 'train_cfg.val_interval=3', 'param_scheduler.0.T_max=3']


def sweep(work_dir, clips):
    """Start the sweep of two configs of the demo on tiny clips."""
    command = [sys.executable, 'tools/ablate.py', *CONFIGS, '--seeds', '0', '--work-dir', str(work_dir)]
    command += ['--cfg-options', *OPTIONS]
    env = {**os.environ, 'MOTION_CLIPS_HARD': str(clips), 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    return subprocess.Popen(
        [*command, '--cfg-options', *OPTIONS],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(path, process):
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline and process.poll() is None, process.stdout.read()
        time.sleep(0.02)


def test_killed_sweep_goes_on_to_the_table_of_an_undisturbed_one(motion_clips, tmp_path):
    undisturbed = sweep(tmp_path / 'undisturbed', motion_clips)
    assert undisturbed.wait(timeout=300) == 0, undisturbed.stdout.read()

    killed = sweep(tmp_path / 'killed', motion_clips)
    second = tmp_path / 'killed' / 'runs' / 'repflow-block1_r18_motion-clips-hard' / 'seed0'
    wait_for(second / 'epoch_1.pth', killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (second / 'result.json').exists()

    again = sweep(tmp_path / 'killed', motion_clips)
    text, _ = again.communicate(timeout=300)
    assert again.returncode == 0, text
    assert text.count('done before') == 1 and 'resumed epoch' in (second / 'log.txt').read_text()
    for name in ('configs.csv', 'configs.md'):
        assert (tmp_path / 'killed' / name).read_text() == (tmp_path / 'undisturbed' / name).read_text()
