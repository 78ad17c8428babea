import os
import shutil

import pytest
import torch
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner import runner as mmengine_runner

from repflow_mm.compat import apply_workarounds
from repflow_mm.compat.checkpoint_files import find_latest_checkpoint, latest_checkpoint

apply_workarounds()


def save(path, value=0, **changes):
    """Save a checkpoint of a training in short."""
    content = dict(state_dict=dict(w=torch.full((3,), float(value))), meta=dict(epoch=1, iter=2), message_hub={})
    mmengine_runner.save_checkpoint({**content, **changes}, str(path))


@pytest.fixture
def folder(tmp_path):
    """Folder of a run with three checkpoints."""
    folder = tmp_path / 'run'
    for epoch in (2, 9, 10):
        save(folder / f'epoch_{epoch}.pth', epoch)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_10.pth'))
    return folder


class Killed(BaseException):
    """A process that ends here."""


@pytest.mark.parametrize('function', ['os.replace', 'os.fsync', 'torch.save'])
def test_a_checkpoint_is_as_it_was_until_the_new_one_is_whole(tmp_path, monkeypatch, function):
    path = tmp_path / 'epoch_1.pth'
    save(path, 1)
    before = path.read_bytes()

    def stop(*arguments, **settings):
        raise Killed

    monkeypatch.setattr(function, stop)
    with pytest.raises(Killed):
        save(path, 2)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        calls.append(os.readlink(f'/proc/self/fd/{descriptor}').replace(str(os.getpid()), 'PID'))
        fsync(descriptor)

    def note_replace(source, target):
        calls.append(f'to {target}')
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', note_fsync)
    monkeypatch.setattr(os, 'replace', note_replace)
    save(tmp_path / 'new' / 'epoch_1.pth')
    folder = f'{tmp_path}/new'
    assert calls == [f'{folder}/.epoch_1.PID.tmp.pth', f'to {folder}/epoch_1.pth', folder]


def test_upstream_saves_elsewhere(monkeypatch):
    asked = []
    monkeypatch.setattr(mmengine_checkpoint.FileClient, 'infer_client', lambda args, uri: asked.append((args, uri)))
    with pytest.raises(AttributeError):
        mmengine_runner.save_checkpoint({}, 'a.pth', file_client_args=dict(backend='disk'))
    assert asked == [(dict(backend='disk'), 'a.pth')]


def test_the_named_checkpoint_is_the_latest(folder):
    assert mmengine_runner.find_latest_checkpoint(str(folder)) == str(folder / 'epoch_10.pth')
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_9.pth'))
    assert find_latest_checkpoint(str(folder)) == str(folder / 'epoch_9.pth')


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip(path):
    content = bytearray(path.read_bytes())
    place = content.index(torch.full((3,), 10.0).numpy().tobytes())
    content[place] ^= 1
    path.write_bytes(content)


FAULTS = {
    'cut': (cut, 'epoch_10.pth is damaged or incomplete: '),
    'flipped': (flip, 'epoch_10.pth is damaged or incomplete: archive/data/0 in it has another check sum'),
    'empty': (lambda path: path.write_bytes(b''), 'epoch_10.pth is damaged or incomplete: '),
    'missing': (lambda path: path.unlink(), 'epoch_10.pth does not exist'),
    'code': (lambda path: save(path, hook=print), 'epoch_10.pth is refused: '),
    'weights': (
        lambda path: torch.save(dict(state_dict={}, meta={}), path),
        'epoch_10.pth holds no state of a training: message_hub, epoch, iter missing',
    ),
    'list': (lambda path: torch.save([1], path), 'epoch_10.pth holds no state of a training: '),
}


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr('repflow_mm.compat.checkpoint_files._log', lambda line, *level: lines.append(line))
    return lines


@pytest.mark.parametrize('fault', FAULTS)
def test_a_checkpoint_that_cannot_be_used_is_passed_over(folder, logged, fault):
    spoil, reason = FAULTS[fault]
    spoil(folder / 'epoch_10.pth')
    assert latest_checkpoint(folder) == str(folder / 'epoch_9.pth')
    (line,) = logged
    assert reason in line and line.endswith('; the checkpoint before it is taken') and '\n' not in line


def test_files_without_check_sums_are_let_through(folder):
    torch.serialization.set_crc32_options(False)
    try:
        save(folder / 'epoch_10.pth')
    finally:
        torch.serialization.set_crc32_options(True)
    assert latest_checkpoint(folder) == str(folder / 'epoch_10.pth')


@pytest.mark.parametrize('text', ['', '\n', None])
def test_without_a_name_the_highest_number_is_the_latest(folder, text):
    pointer = folder / 'last_checkpoint'
    pointer.unlink() if text is None else pointer.write_text(text)
    save(folder / 'best_acc_epoch_11.pth')
    save(folder / '.epoch_12.1.tmp.pth')
    assert latest_checkpoint(folder) == str(folder / 'epoch_10.pth')


def test_the_state_of_an_interrupted_run_comes_before_numbered_ones(folder):
    save(folder / 'interrupted.pth')
    assert latest_checkpoint(folder) == str(folder / 'epoch_10.pth')
    cut(folder / 'epoch_10.pth')
    assert latest_checkpoint(folder) == str(folder / 'interrupted.pth')


def test_a_copied_folder_has_checkpoints_of_its_own(folder, tmp_path):
    copy = tmp_path / 'copy'
    shutil.copytree(folder, copy)
    assert latest_checkpoint(copy) == str(copy / 'epoch_10.pth')
    shutil.rmtree(folder)
    assert latest_checkpoint(copy) == str(copy / 'epoch_10.pth')


def test_checkpoints_in_another_folder_are_found(folder, tmp_path):
    work_dir = tmp_path / 'work_dir'
    work_dir.mkdir()
    shutil.move(folder / 'last_checkpoint', work_dir)
    cut(folder / 'epoch_10.pth')
    assert latest_checkpoint(work_dir) == str(folder / 'epoch_9.pth')


@pytest.mark.parametrize('with_damaged', [False, True])
def test_nothing_to_go_on_from_is_said(tmp_path, logged, with_damaged):
    if with_damaged:
        (tmp_path / 'epoch_1.pth').write_bytes(b'half')
    assert find_latest_checkpoint(str(tmp_path)) is None
    assert logged[-1] == f'no checkpoint in {tmp_path} to go on from: the training starts from the beginning'
    assert len(logged) == 1 + with_damaged
