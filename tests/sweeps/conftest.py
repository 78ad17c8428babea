"""A small sweep, with training and testing replaced by a small program."""

import pickle
import sys

import pytest
import torch
from small_sweep import CONFIG

from repflow_mm.sweeps.runs import Run

# Stands in for training and testing: the accuracy is seed / 10 + scale, less 0.01 for each split after the first;
# a scale of 9 makes the training fail.
PROGRAM = """
import json, os, pathlib, shutil, sys
kind, scale, folder, seed, work_dir = sys.argv[1:]
folder, scale = pathlib.Path(folder), float(scale)
split = int(os.environ.get('HMDB51_SPLIT', 1))
with open(pathlib.Path(work_dir) / 'calls.txt', 'a') as calls:
    calls.write(f'{kind} {scale} {seed}\\n')
if scale == 9:
    sys.exit('broken')
if kind == 'train':
    shutil.copy(pathlib.Path(__file__).with_name('state.pth'), folder / 'epoch_1.pth')
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
else:
    out = folder / 'test' / 'now' / 'now.json'
    out.parent.mkdir(parents=True)
    out.write_text(json.dumps({'acc/top1': int(seed) / 10 + scale - (split - 1) / 100}))
    shutil.copy(pathlib.Path(__file__).with_name(f'scores_{scale}.pkl'), folder / 'scores.pkl')
"""


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """A folder of configs and tables, with training and testing replaced by a small program."""
    for name, count in (('train', 5), ('val', 2)):
        (tmp_path / f'{name}.txt').write_text('clip.mp4 0\n' * count)
    for name, scale in (('low', 0.1), ('high', 0.5), ('broken', 9)):
        (tmp_path / f'{name}.py').write_text(CONFIG.format(scale=scale, lists=tmp_path))
    splits = "split = '{{$HMDB51_SPLIT:1}}'\nsplits = dict(variable='HMDB51_SPLIT', count=3)\n"
    (tmp_path / 'split.py').write_text(splits + CONFIG.format(scale=0.1, lists=tmp_path))
    (tmp_path / 'tables.yml').write_text(
        'tables:\n'
        '  good: [[low, low.py], [high, high.py], [late, [low.py, high.py]]]\n'
        '  bad: [[broken, broken.py], [low, low.py]]\n'
        '  splits: [[low, split-low], [late, [split-low, split-high]]]\n'
        'networks:\n'
        '  low.py: {better: {model.scale: 0.5}}\n'
        '  split.py: {split-low: {}, split-high: {model.scale: 0.5}}\n'
    )
    for scale, score in ((0.1, [0.9, 0.1]), (0.2, [0.9, 0.1]), (0.5, [0.2, 0.8])):
        dump = [dict(filename=name, gt_label=torch.tensor([1]), pred_score=torch.tensor(score)) for name in 'ab']
        (tmp_path / f'scores_{scale}.pkl').write_bytes(pickle.dumps(dump))
    state = dict(state_dict={}, message_hub={}, meta=dict(epoch=1, iter=1, device='a processor'))
    torch.save(state, tmp_path / 'state.pth')
    program = tmp_path / 'program.py'
    program.write_text(PROGRAM)

    def commands(self, gpus=1):
        arguments = [str(self.cfg.model.scale), str(self.folder), str(self.seed), str(self.work_dir)]
        return [[sys.executable, str(program), kind, *arguments] for kind in ('train', 'test')]

    monkeypatch.setattr(Run, 'commands', commands)
    return tmp_path
