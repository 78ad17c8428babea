"""Trainings that end in one line, from the command line, before or instead of the work."""

import itertools
import os
import re

import pytest
import torch
from helpers import ROOT, other_run

from repflow_mm.apis import publish, train
from repflow_mm.apis.options import TRAINING_LOCK
from repflow_mm.chaos.kills import CONFIG

number_of_runs = itertools.count()


@pytest.fixture(scope='module')
def config(motion_clips, tmp_path_factory):
    """The demo in small, on tiny clips."""
    path = tmp_path_factory.mktemp('config') / 'tiny.py'
    path.write_text(CONFIG.format(root=ROOT))
    before = os.environ.get('MOTION_CLIPS')
    os.environ['MOTION_CLIPS'] = str(motion_clips)
    yield path
    os.environ.pop('MOTION_CLIPS')
    if before is not None:
        os.environ['MOTION_CLIPS'] = before


def run(config, work_dir, *flags, options=()):
    options = [f'experiment_name=refused{next(number_of_runs)}', *options]
    arguments = [str(config), '--work-dir', str(work_dir), '--seed', '0', '--no-validate', *flags]
    train.main([*arguments, '--cfg-options', *options])


@pytest.fixture(scope='module')
def checkpoint(config, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    run(config, work_dir)
    return work_dir / 'epoch_2.pth'


def test_complete_training_ends_well_and_says_so(config, checkpoint):
    before = checkpoint.read_bytes()
    run(config, checkpoint.parent, '--resume')
    log = max(checkpoint.parent.glob('*/*.log')).read_text()
    assert 'nothing is left to train: epoch 2 of 2, iteration 8 of 8' in log and checkpoint.read_bytes() == before


def test_second_training_in_the_folder_is_refused_and_the_first_keeps_its_files(config, checkpoint):
    before = sorted(checkpoint.parent.rglob('*'))
    message = r'^error: another run is writing to .* \(process \d+ on '
    with other_run(checkpoint.parent, TRAINING_LOCK), pytest.raises(SystemExit, match=message):
        run(config, checkpoint.parent)
    assert sorted(checkpoint.parent.rglob('*')) == before


def test_published_checkpoint_is_to_be_loaded(config, checkpoint, tmp_path):
    published = publish.publish_model(checkpoint, tmp_path / 'published', config)
    message = f'^error: the training cannot go on from checkpoint {published}: it holds no message_hub, optimizer'
    with pytest.raises(SystemExit, match=f'{message}.*load_from={re.escape(str(published))}$'):
        run(config, tmp_path, '--resume', str(published))


def test_other_classes_and_optimizers_are_to_be_loaded(config, checkpoint, tmp_path):
    resume = ('--resume', str(checkpoint))
    with pytest.raises(
        SystemExit, match=r'its network is another one \(cls_head\.fc_cls\.weight \(8, 64\) instead of '
    ):
        run(
            config,
            tmp_path,
            *resume,
            options=['model.cls_head.num_classes=9', 'train_dataloader.dataset.num_classes=9'],
        )
    with pytest.raises(SystemExit, match='its optimizer is another one than SGD'):
        run(config, tmp_path, *resume, options=['optim_wrapper.optimizer.type=SGD'])


def test_no_batch_is_an_error(config, tmp_path):
    options = ['train_dataloader.batch_size=17', 'train_dataloader.drop_last=True']
    message = '^error: train_dataloader has nothing to do: 16 samples a process in batches of 17 with drop_last=True$'
    with pytest.raises(SystemExit, match=message):
        run(config, tmp_path, options=options)
    assert not list(tmp_path.glob('*.pth'))


def test_training_that_only_meets_bad_numbers_names_its_files_and_flow_terms(config, tmp_path, monkeypatch):
    linear = torch.nn.Linear.forward
    monkeypatch.setattr(torch.nn.Linear, 'forward', lambda self, x: linear(self, x) * float('nan'))
    message = (
        r'^error: the training ends at iteration 10: the loss or gradient of 10 steps in a row is not finite\. '
        r'The last batch: .*\.mp4, .*\.mp4\. '
        r'Flow layers: backbone\.flow_blocks\.block1\.steps\.flow0 theta 0\.3, lam 0\.15, tau 0\.25\.'
    )
    with pytest.raises(SystemExit, match=message):
        run(config, tmp_path, options=['train_cfg.max_epochs=4'])
