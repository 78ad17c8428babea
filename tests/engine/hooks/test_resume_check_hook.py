import re

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from repflow_mm.engine import CannotResumeError, ResumeCheckHook


class Network(BaseModel):
    def __init__(self, classes=2):
        super().__init__()
        self.head = nn.Linear(4, classes)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.head(inputs).mean())


number_of_runs = 0


def train(folder, epochs=1, classes=2, resume=None, **optimizer):
    """Train for some epochs; returns the log."""
    global number_of_runs
    number_of_runs += 1
    runner = Runner(
        Network(classes),
        str(folder),
        train_dataloader=dict(
            dataset=torch.ones(2, 4),
            batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=lambda samples: dict(inputs=torch.stack(samples)),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(dict(type='Adam', lr=0.1), **optimizer)),
        custom_hooks=[ResumeCheckHook()],
        resume=resume is not None,
        load_from=None if resume in (None, 'auto') else str(resume),
        experiment_name=f'resume_check_{number_of_runs}',
    )
    runner.train()
    return max(folder.glob('*/*.log')).read_text()


@pytest.fixture
def checkpoint(tmp_path):
    train(tmp_path / 'first')
    return tmp_path / 'first' / 'epoch_1.pth'


def test_own_checkpoint_passes(checkpoint, tmp_path):
    assert 'nothing is left' not in train(tmp_path, epochs=2, resume=checkpoint)


def test_complete_training_says_so(checkpoint):
    log = train(checkpoint.parent, resume='auto')
    assert 'nothing is left to train: epoch 1 of 1, iteration 2 of 2' in log


def without(content, *names):
    for name in names:
        content.pop(name, None)
        content['meta'].pop(name, None)
    return content


@pytest.mark.parametrize('missing', [('message_hub',), ('message_hub', 'optimizer', 'epoch', 'iter')], ids=len)
def test_checkpoint_without_a_training_is_to_be_loaded(checkpoint, tmp_path, missing):
    path = tmp_path / 'published.pth'
    torch.save(without(torch.load(checkpoint, weights_only=False), *missing), path)
    message = (
        f'the training cannot go on from checkpoint {path}: it holds no {", ".join(missing)}, as a published one or '
        'one of MMAction2 0.x; to start anew from its weights, leave out --resume and say --cfg-options '
        f'load_from={path}'
    )
    with pytest.raises(CannotResumeError, match=f'^{re.escape(message)}$'):
        train(tmp_path, epochs=2, resume=path)


def test_other_number_of_classes(checkpoint, tmp_path):
    with pytest.raises(
        CannotResumeError, match=r'its network is another one \(head\.weight \(2, 4\) instead of \(3, 4'
    ):
        train(tmp_path, classes=3, epochs=2, resume=checkpoint)
    with pytest.raises(CannotResumeError, match=rf'from checkpoint in {checkpoint.parent}: .* load_from=CHECKPOINT$'):
        train(checkpoint.parent, classes=3, epochs=2, resume='auto')


@pytest.mark.parametrize(
    ('optimizer', 'reason'),
    [
        (dict(type='SGD', momentum=0.9), r'is another one than SGD \(it has amsgrad, betas, .* and no dampening, mome'),
        (dict(type='AdamW'), r'is another one than AdamW \(decoupled_weight_decay is False\)'),
    ],
    ids=['SGD', 'AdamW'],
)
def test_other_optimizer(checkpoint, tmp_path, optimizer, reason):
    with pytest.raises(CannotResumeError, match=f'its optimizer {reason}'):
        train(tmp_path, epochs=2, resume=checkpoint, **optimizer)


def test_optimizer_of_other_parameters(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=False)
    content['optimizer']['param_groups'][0]['params'].pop()
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(
        CannotResumeError, match='its optimizer has 1 parameters in 1 group, this one 2 parameters in 1'
    ):
        train(tmp_path, epochs=2, resume=tmp_path / 'other.pth')
