"""Resuming from checkpoints that name files of others as their own, by malice or because their folder was copied."""

import shutil

import pytest
import torch
from tiny_training import kill, train

HOOKS = ('CheckpointHook', 'ResumableCheckpointHook')


def changes(hook):
    """Two epochs, and one checkpoint kept."""
    return {
        'default_hooks.checkpoint': dict(type=hook, interval=1, save_best='auto', max_keep_ckpts=1),
        'train_cfg.max_epochs': 2,
    }


@pytest.fixture(scope='module')
def killed(tmp_path_factory, quick_start):
    """A folder of a run with each hook that ended after its first epoch, whose score is worse than any."""
    root = tmp_path_factory.mktemp('killed')
    for hook in HOOKS:
        train(root / hook, 'before_train_epoch', 2, kill, changes=changes(hook))
        rewrite(root / hook, best_score=-1.0)
    return root


def rewrite(folder, **info):
    content = torch.load(folder / 'epoch_1.pth', weights_only=False)
    content['message_hub']['runtime_info'].update(info)
    torch.save(content, folder / 'epoch_1.pth')


def checkpoints(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


@pytest.mark.parametrize('hook', HOOKS)
def test_the_best_checkpoint_of_a_copied_folder_is_its_own(tmp_path, killed, hook):
    shutil.copytree(killed / hook, tmp_path / 'copy')
    train(tmp_path / 'copy', resume=True, changes=changes(hook))
    assert checkpoints(tmp_path / 'copy') == ['best_acc_top1_epoch_2.pth', 'epoch_2.pth']
    assert checkpoints(killed / hook) == ['best_acc_top1_epoch_1.pth', 'epoch_1.pth']


@pytest.mark.parametrize(
    ('hook', 'best'),
    [(HOOKS[0], '{}/others/best_x.pth'), (HOOKS[0], '..'), (HOOKS[1], '{}/others/best_x.pth'), (HOOKS[1], 7)],
)
def test_nothing_of_others_is_removed(tmp_path, killed, hook, best):
    folder, other = tmp_path / 'run', tmp_path / 'others' / 'best_x.pth'
    shutil.copytree(killed / hook, folder)
    other.parent.mkdir()
    other.write_bytes(b'a')
    best = best.format(tmp_path) if isinstance(best, str) else best
    named = [str(other), '../others/best_x.pth', '..', 7]
    rewrite(folder, best_ckpt=best, keep_ckpt_ids=['../others/best_x', '', 'x'], outdated_ckpts=named)
    train(folder, resume=True, changes=changes(hook))
    assert {'best_acc_top1_epoch_2.pth', 'epoch_2.pth'} < {*checkpoints(folder)}
    assert other.read_bytes() == b'a'
