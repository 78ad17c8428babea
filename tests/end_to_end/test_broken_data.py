import json
import os
import pickle
import re
import signal
from pathlib import Path

import pytest
import torch
from helpers import ROOT, fork_ranks, run_python
from mmaction.registry import HOOKS, TRANSFORMS
from mmengine.hooks import Hook
from mmengine.runner import CheckpointLoader

from repflow_mm.apis import test as test_api
from repflow_mm.apis import train as train_api
from repflow_mm.apis.fuse import fuse_streams

CONFIG = """
_base_ = '{root}/configs/demo/rgb_r18_motion_clips.py'
custom_imports = dict(imports=['repflow_mm.registration'{imports}])
train_dataloader = dict(batch_size=4, num_workers={num_workers}, dataset=dict(ann_file='{folder}/train.txt'))
val_dataloader = dict(batch_size=4, num_workers={num_workers}, dataset=dict(ann_file='{folder}/val.txt'))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=1, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(save_best=None))
randomness = dict(seed=3)
"""

HANGING_DECODE = """
import ctypes
from mmaction.registry import TRANSFORMS
from repflow_mm.datasets import VideoDecode


@TRANSFORMS.register_module()
class HangingDecode(VideoDecode):
    def transform(self, results):
        if results['filename'].endswith('spinning.mp4'):
            ctypes.PyDLL(None).sleep(600)  # with Python's lock
        return super().transform(results)
"""


@pytest.fixture
def clips(motion_clips, tmp_path, monkeypatch):
    """Lists of the motion clips with a missing, an empty and a damaged one among them, and a config that reads them."""
    names = {mode: (motion_clips / f'{mode}.txt').read_text().splitlines() for mode in ('train', 'val')}
    whole = motion_clips / names['train'][0].split()[0]
    for name, content in dict(empty=b'', damaged=whole.read_bytes()[:900]).items():
        (motion_clips / f'{name}.mp4').write_bytes(content)
    bad = [f'{name}.mp4 {label}' for label, name in enumerate(('missing', 'empty', 'damaged'))]
    (tmp_path / 'train.txt').write_text('\n'.join([*names['train'], *bad]))
    (tmp_path / 'val.txt').write_text('\n'.join([*bad, *names['val']]))
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    return tmp_path


def write_config(folder, num_workers=0, imports='', extra=''):
    text = CONFIG.format(root=ROOT, folder=folder, num_workers=num_workers, imports=imports)
    (folder / 'config.py').write_text(text + extra)
    return folder / 'config.py'


def log_of(work_dir):
    return ''.join(path.read_text() for path in Path(work_dir).glob('*/*.log'))


number_of_runs = 0


def options(work_dir, *others):
    """The end of a command line; every run in this process needs a name of its own."""
    global number_of_runs
    number_of_runs += 1
    return ['--work-dir', str(work_dir), '--cfg-options', f'experiment_name=broken{number_of_runs}', *others]


MORE = 'default_hooks.bad_data.max_share=0.2'
BROKEN = {
    'missing': 'does not exist',
    'empty': r'\(0 bytes\) ',
    'damaged': r'\(900 bytes\) ',
}


def test_training_and_testing_go_on(clips):
    config, work_dir = write_config(clips), clips / 'work'
    train_api.main([str(config), *options(work_dir, MORE)])
    log = log_of(work_dir)
    for number, (name, reason) in enumerate(BROKEN.items(), start=17):
        lines = re.findall(rf'.*train\.txt, line {number}: video .*/{name}\.mp4 {reason}.*', log)
        assert len(lines) == 1 and 'check_videos' in lines[0], name
    assert '3 of 19 samples (15.8 %) of this epoch were broken and replaced; more than 20 % would end the run' in log
    assert '3 samples are broken and count as wrong in these metrics' in log
    dumps = [clips / f'{name}.pkl' for name in 'ab']
    for dump in dumps:
        # Folders of their own: those of runs are named by the second.
        test = ['--dump', str(dump), *options(work_dir / dump.stem, MORE)]
        test_api.main([str(config), str(work_dir / 'epoch_1.pth'), *test])
    metrics = [json.loads(path.read_text()) for path in work_dir.glob('[ab]/*/*.json')]
    assert [values['bad_data/counted_wrong'] for values in metrics] == [3, 3]
    samples = {Path(sample['filename']).stem: sample for sample in pickle.loads(dumps[0].read_bytes())}
    assert len(samples) == 11
    for label, name in enumerate(BROKEN):
        assert samples[name]['gt_label'].item() == label and samples[name]['pred_score'].argmin() == label
    results = fuse_streams(dict(a=dumps[0], b=dumps[1]))
    assert results['samples'] == 11 and results['fusion']['top1'] <= 8 / 11


def test_too_much_ends_the_run_in_one_line(clips):
    with pytest.raises(
        SystemExit, match=r'^error: \d of 19 samples of this epoch are broken, more than max_share = 5 %'
    ):
        train_api.main([str(write_config(clips)), *options(clips / 'work')])


@pytest.mark.parametrize('num_workers', [0, 2])
def test_testing_may_end_instead(clips, num_workers):
    config = write_config(clips, num_workers)
    train_api.main([str(config), '--no-validate', *options(clips / 'work', MORE)])
    with pytest.raises(SystemExit) as caught:
        ending = options(clips / 'test', 'default_hooks.bad_data.in_testing=end')
        test_api.main([str(config), str(clips / 'work' / 'epoch_1.pth'), *ending])
    assert re.match(r'^error: .*/val\.txt, line 1: video .*/missing\.mp4 does not exist$', str(caught.value))


@TRANSFORMS.register_module()
class FaultyTransform:
    """A transform with an error of the program."""

    def __call__(self, results):
        return results['imgs'] + None


def test_an_error_of_the_program_ends_the_run(clips):
    extra = "train_dataloader['dataset']['pipeline'] = [*_base_.train_pipeline[:-1], dict(type='FaultyTransform')]"
    with pytest.raises(TypeError):
        train_api.main([str(write_config(clips, extra=extra)), '--no-validate', *options(clips / 'work', MORE)])


@pytest.mark.parametrize('num_workers', [0, 2])
def test_a_decoder_that_hangs_ends_the_run_in_one_line(clips, motion_clips, num_workers):
    first = (motion_clips / 'train.txt').read_text().split()[0]
    (motion_clips / 'spinning.mp4').write_bytes((motion_clips / first).read_bytes())
    (clips / 'train.txt').write_text(f'{first} 0\nspinning.mp4 1\n' * 2)
    (clips / 'hanging_decode.py').write_text(HANGING_DECODE)
    extra = (
        "train_dataloader['dataset']['pipeline'] = [*_base_.train_pipeline[:2], dict(type='HangingDecode'), "
        '*_base_.train_pipeline[3:]]\n'
        'default_hooks = dict(read_watch=dict(timeout=2))\n'
    )
    config = write_config(clips, num_workers, ", 'hanging_decode'", extra)
    flags = ['--no-validate', '--work-dir', clips / 'work']
    done = run_python(
        ROOT / 'tools' / 'train.py', config, *flags, cwd=clips, path=(clips,), MOTION_CLIPS=str(motion_clips)
    )
    lines = [line for line in done.stderr.splitlines() if 'error' in line.lower()]
    assert done.returncode == (-9 if num_workers == 0 else 1)
    assert len(lines) == 1, done.stderr
    assert re.match(
        rf'error: {clips}/train\.txt, line [24]: .*/spinning\.mp4: reading it took more than 2 s, so its process \d+ '
        'is ended. Take it off the list, as check_videos does',
        lines[0],
    )
    assert 'Traceback' not in done.stderr


@HOOKS.register_module()
class StopAfterTwoSteps(Hook):
    """Asks the run to end, as a cluster does."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx == 1:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_resumed_run_replaces_alike(clips):
    """After a stop in the middle of an epoch, and with workers where there were none: the same weights, bit by bit."""
    plain, stopped = clips / 'plain', clips / 'stopped'
    train_api.main([str(write_config(clips)), '--no-validate', *options(plain, MORE)])
    extra = "custom_hooks = [*_base_.custom_hooks, dict(type='StopAfterTwoSteps')]\n"
    with pytest.raises(SystemExit) as caught:
        train_api.main([str(write_config(clips, extra=extra)), '--no-validate', *options(stopped, MORE)])
    assert caught.value.code == 128 + signal.SIGTERM and not (stopped / 'epoch_1.pth').exists()
    resume = ['--no-validate', '--resume', *options(stopped, MORE)]
    train_api.main([str(write_config(clips, num_workers=2)), *resume])
    weights = [
        CheckpointLoader.load_checkpoint(str(folder / 'epoch_1.pth'))['state_dict'] for folder in (plain, stopped)
    ]
    assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in weights)))
    assert len(weights[0]) == len(weights[1])


@pytest.mark.skipif(torch.cuda.is_available(), reason='looks at gloo processes on a CPU')
@pytest.mark.parametrize('share', [0.2, 0.1])
def test_ranks_count_together(clips, share, capfd):
    config = write_config(clips, extra="env_cfg = dict(dist_cfg=dict(backend='gloo'))\n")
    flags = ['--launcher', 'pytorch', '--no-validate']
    arguments = [str(config), *flags, *options(clips / 'work', f'default_hooks.bad_data.max_share={share}')]
    codes = fork_ranks(2, lambda rank: train_api.main(arguments))
    log, error = log_of(clips / 'work'), capfd.readouterr().err
    assert [len(re.findall(rf'broken data .*train\.txt, line {number}: ', log)) for number in (17, 18, 19)] == [1] * 3
    if share == 0.2:
        assert codes == [0, 0], error
        assert '3 of 19 samples (15.8 %) of this epoch were broken and replaced' in log
    else:
        assert codes == [1, 1]
        said = [line for line in error.splitlines() if line.startswith('error: ')]
        assert len(said) == 1 and said[0].startswith('error: 3 of 19 samples of this epoch are broken, more than max_')
