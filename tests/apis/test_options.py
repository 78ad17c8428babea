import argparse
import os
import socket
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from helpers import other_run
from torch import nn
from torch.utils.data import DataLoader

from repflow_mm.apis import options
from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.apis.options import (
    RANK_VARIABLES,
    TRAINING_LOCK,
    add_common_arguments,
    build_runner,
    load_config,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """The environment as a launcher would find it, and put back afterwards."""
    monkeypatch.setattr(os, 'environ', {k: v for k, v in os.environ.items() if k not in ('LOCAL_RANK', 'RANK')})


@pytest.fixture
def parse(tmp_path):
    """Parse the common flags for a config of the text given."""

    def parse(*flags, text='x = 1\n'):
        (tmp_path / 'my_config.py').write_text(text)
        parser = argparse.ArgumentParser()
        parser.add_argument('config')
        add_common_arguments(parser)
        return parser.parse_args([str(tmp_path / 'my_config.py'), *flags])

    return parse


def test_defaults(parse):
    cfg = load_config(parse())
    assert (cfg.launcher, cfg.work_dir, cfg.x) == ('none', './work_dirs/my_config', 1)
    assert os.environ['LOCAL_RANK'] == '0'


def test_work_dir_of_the_command_line_goes_before_the_configs(parse):
    text = "work_dir = 'from_config'\n"
    assert load_config(parse(text=text)).work_dir == 'from_config'
    assert load_config(parse('--work-dir', 'from_flag', text=text)).work_dir == 'from_flag'


def runner_of(samples, kind=None, **loader):
    """What ``build_runner`` looks at of a runner that trains on so many samples."""
    loop = SimpleNamespace(dataloader=DataLoader(range(samples), batch_size=4, sampler=range(samples), **loader))
    return SimpleNamespace(model=nn.Module(), train_loop=loop, val_loop=None, test_loop=loop, kind=kind)


@pytest.fixture
def claim(parse, tmp_path, monkeypatch):
    """Build a runner that trains, or tests, in a folder; returns what holds its lock."""
    monkeypatch.setattr(options, 'ConciseRunner', SimpleNamespace(from_cfg=lambda cfg: runner_of(1)))

    def claim(*flags, modes=('train',), folder=tmp_path / 'run'):
        held = ExitStack()
        build_runner(load_config(parse('--work-dir', str(folder), *flags)), modes, held)
        return held

    return claim


def test_second_training_in_a_folder_is_refused(claim, tmp_path):
    (tmp_path / 'run').mkdir()
    with other_run(tmp_path / 'run', TRAINING_LOCK) as other:
        message = rf'^another run is writing to {tmp_path}/run \(process {other.pid} on {socket.gethostname()}\); wait'
        with pytest.raises(OSError, match=message):
            claim()
        with claim(modes=('test',)), claim(folder=tmp_path / 'another'):
            pass
        other.kill()
        other.wait()
        with claim():  # as --resume does after a kill
            assert str(os.getpid()) in (tmp_path / 'run' / TRAINING_LOCK).read_text()


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm', 'mpi'])
def test_first_process_of_a_distributed_training_alone_takes_the_lock(claim, tmp_path, launcher):
    os.environ[RANK_VARIABLES[launcher]] = '1'
    with claim('--launcher', launcher):
        assert not (tmp_path / 'run').exists()
    os.environ[RANK_VARIABLES[launcher]] = '0'
    with claim('--launcher', launcher):
        assert (tmp_path / 'run' / TRAINING_LOCK).exists()


@pytest.mark.parametrize('modes', [('train',), ('test',)])
def test_working_folder_that_cannot_be_written_is_named_first(claim, modes):
    with pytest.raises(OSError, match=r'^working folder /proc/run cannot be written: .+ \(/proc\)$'):
        claim(modes=modes, folder='/proc/run')


@pytest.mark.parametrize('flag', ['--local_rank', '--local-rank'])
def test_launcher_and_local_rank(parse, flag):
    assert load_config(parse('--launcher', 'pytorch', flag, '3')).launcher == 'pytorch'
    assert os.environ['LOCAL_RANK'] == '3'
    load_config(parse(flag, '1'))
    assert os.environ['LOCAL_RANK'] == '3', 'torchrun has set it'


def test_unknown_launcher(parse, capsys):
    with pytest.raises(SystemExit):
        parse('--launcher', 'ssh')
    assert "invalid choice: 'ssh'" in capsys.readouterr().err


def test_missing_config():
    with pytest.raises(FileNotFoundError, match=r'^config configs/none\.py does not exist$'):
        load_config(argparse.Namespace(config='configs/none.py', local_rank=0))


def test_config_that_is_no_python(parse):
    args = parse(text='model = dict(\n')
    with pytest.raises(SystemExit, match=r'error: config .*my_config\.py cannot be read: .+'), one_line_errors():
        load_config(args)


@pytest.mark.parametrize(('text', 'reason'), [('x = y\n', 'NameError: '), ('x = 1 + "a"\n', 'TypeError: ')])
def test_config_that_cannot_be_run(parse, text, reason):
    with pytest.raises(ValueError, match=rf'^config .*my_config\.py cannot be read: {reason}'):
        load_config(parse(text=text))


def test_config_of_another_kind_of_file(tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4 0')
    with pytest.raises(ValueError, match=r'^config .*list\.txt must be a file of \.py, \.json, \.yaml, \.yml$'):
        load_config(argparse.Namespace(config=str(tmp_path / 'list.txt'), local_rank=0))


def test_config_is_checked_before_the_runner_is_built(parse):
    cfg = load_config(parse(text='model = dict(cls_head=dict(num_classes=0))\n'))
    with pytest.raises(ValueError, match=r'num_classes must be an integer >= 1, got 0'):
        build_runner(cfg, ('train',))


def test_runner_type_of_the_config_is_built(parse, monkeypatch):
    from mmaction.registry import RUNNERS

    monkeypatch.setattr(RUNNERS, 'build', lambda cfg: runner_of(1, kind=cfg.runner_type))
    assert build_runner(load_config(parse(text="runner_type = 'MyRunner'\n")), ('train',)).kind == 'MyRunner'


@pytest.mark.parametrize('samples', [0, 3])
def test_nothing_to_do_is_an_error(parse, monkeypatch, samples, tmp_path):
    monkeypatch.setattr(
        options, 'ConciseRunner', SimpleNamespace(from_cfg=lambda cfg: runner_of(samples, drop_last=True))
    )
    why = ' in batches of 4 with drop_last=True' if samples else ''
    with pytest.raises(ValueError, match=rf'^train_dataloader has nothing to do: {samples} samples a process{why}$'):
        build_runner(load_config(parse('--work-dir', str(tmp_path))), ('train', 'val'))
