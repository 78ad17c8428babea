"""Trainings whose checkpoints the disk does not take for a while; a limit of the files' size stands in for it."""

import json
import resource

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from repflow_mm.compat.checkpoint_files import latest_checkpoint, write_checkpoint
from repflow_mm.engine import PatientLocalVisBackend, ResumableCheckpointHook


class Network(BaseModel):
    """Weights of 200 kB."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(500, 100)

    def forward(self, inputs, mode='loss'):
        y = self.linear(inputs)
        return dict(loss=y.mean()) if mode == 'loss' else y


class Score(BaseMetric):
    """The scores that are given, one a validation."""

    def __init__(self, scores):
        super().__init__()
        self.scores = list(scores)

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(score=self.scores.pop(0))


class FullDisk(Hook):
    """Lets the disk take no large file in some epochs, counted from 1; ``at`` says of which moment on."""

    priority = 'VERY_HIGH'

    def __init__(self, epochs, of_validation=False):
        self.epochs, self.of_validation = epochs, of_validation

    def before_train_epoch(self, runner):
        self.limit(runner.epoch + 1 in self.epochs and not self.of_validation)

    def before_val_epoch(self, runner):
        self.limit(runner.epoch in self.epochs)

    def after_train(self, runner):
        self.limit(False)

    @staticmethod
    def limit(is_full):
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000 if is_full else hard, hard))


@pytest.fixture(autouse=True)
def no_limit():
    yield
    FullDisk.limit(False)


number_of_runs = 0


def train(folder, full, scores):
    global number_of_runs
    number_of_runs += 1
    torch.manual_seed(0)
    loader = dict(dataset=torch.ones(2, 500), batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False))
    loader['collate_fn'] = lambda samples: dict(inputs=torch.stack(samples))
    hook = ResumableCheckpointHook(interval=1, save_best='score', rule='greater', max_keep_ckpts=2)
    runner = Runner(
        Network(),
        str(folder),
        train_dataloader=dict(loader),
        val_dataloader=dict(loader),
        val_evaluator=[Score(scores)],
        train_cfg=dict(by_epoch=True, max_epochs=len(scores), val_interval=1),
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=hook),
        custom_hooks=[full],
        experiment_name=f'full_disk_{number_of_runs}',
    )
    runner.train()
    return next(folder.glob('*/*.log')).read_text()


def checkpoints(folder):
    return sorted(path.name for path in folder.rglob('*.pth'))


def test_training_goes_on_and_keeps_what_it_has(tmp_path):
    log = train(tmp_path, FullDisk({2, 3}), [0.5, 0.7, 0.6, 0.4])
    for iteration in (4, 6):
        assert f'WARNING - the checkpoint at iteration {iteration} cannot be written: [Errno 27] File too large;' in log
    # Of epochs 2 and 3 there is none; the best one is that of the best score of those that could be saved.
    assert checkpoints(tmp_path) == ['best_score_epoch_1.pth', 'epoch_1.pth', 'epoch_4.pth']
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_4.pth')
    assert torch.load(tmp_path / 'best_score_epoch_1.pth', weights_only=False)['meta']['epoch'] == 1


def test_best_checkpoint_is_kept_until_a_better_one_is_whole(tmp_path):
    train(tmp_path, FullDisk({2}, of_validation=True), [0.5, 0.7, 0.6])
    assert checkpoints(tmp_path) == ['best_score_epoch_3.pth', 'epoch_2.pth', 'epoch_3.pth']


def test_last_checkpoint_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match=r'^the last checkpoint cannot be written: \[Errno 27\] File too large$'):
        train(tmp_path, FullDisk({2}), [0.5, 0.7])
    assert checkpoints(tmp_path) == ['best_score_epoch_1.pth', 'epoch_1.pth']


@pytest.mark.parametrize('size', [30_000, 1_000_000])
def test_error_of_the_disk_comes_through_and_the_file_stays(tmp_path, size):
    write_checkpoint(dict(a=torch.zeros(1)), tmp_path / 'a.pth')
    before = (tmp_path / 'a.pth').read_bytes()
    FullDisk.limit(True)
    with pytest.raises(OSError, match='File too large'):
        write_checkpoint(dict(a=torch.zeros(size)), tmp_path / 'a.pth')
    assert (tmp_path / 'a.pth').read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_records_that_the_disk_does_not_take_are_left_out(tmp_path):
    backend = PatientLocalVisBackend(str(tmp_path / 'records'))
    backend.add_scalar('loss', 1.0)
    file = tmp_path / 'records' / 'scalars.json'
    file.rename(tmp_path / 'kept.json')
    file.mkdir()
    backend.add_scalar('loss', 2.0)
    file.rmdir()
    backend.add_scalar('loss', 3.0)
    assert [json.loads(line)['loss'] for line in file.read_text().splitlines()] == [3.0]
