import os
import signal
from importlib.metadata import distribution

import pytest
import torch
from helpers import ROOT, run_python

from repflow_mm.apis import train
from repflow_mm.engine import TrainingStopped

KINETICS = 'configs/repflow_r50_kinetics.py'


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Undo what a launcher's flags write into the environment."""
    monkeypatch.setattr(os, 'environ', dict(os.environ))


def config(*flags, file=KINETICS):
    return train.config_from_args(train.parse_args([str(ROOT / file), *flags]))


@pytest.fixture
def write_config(tmp_path):
    def write(text):
        (tmp_path / 'config.py').write_text(text)
        return tmp_path / 'config.py'

    return write


def test_defaults():
    cfg = config()
    assert not cfg.resume and cfg.load_from is None
    assert cfg.optim_wrapper.type == 'OptimWrapper' and cfg.val_cfg is not None
    assert cfg.randomness == dict(seed=None, diff_rank_seed=False, deterministic=False)
    assert not cfg.auto_scale_lr.enable


def test_resume(tmp_path):
    (tmp_path / 'epoch_1.pth').touch()
    cfg = config('--resume')
    assert (cfg.resume, cfg.load_from) == (True, None)
    cfg = config('--resume', 'auto')
    assert (cfg.resume, cfg.load_from) == (True, None)
    cfg = config('--resume', str(tmp_path / 'epoch_1.pth'))
    assert (cfg.resume, cfg.load_from) == (True, str(tmp_path / 'epoch_1.pth'))


def test_resume_from_a_missing_checkpoint():
    with pytest.raises(FileNotFoundError, match=r'^checkpoint none\.pth does not exist$'):
        config('--resume', 'none.pth')


@pytest.mark.parametrize(('cuda', 'wrapper'), [(True, 'AmpOptimWrapper'), (False, 'CpuAmpOptimWrapper')])
def test_amp(monkeypatch, cuda, wrapper):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    cfg = config('--amp')
    assert cfg.optim_wrapper.type == wrapper
    assert cfg.optim_wrapper.get('loss_scale') == ('dynamic' if cuda else None)


def test_amp_with_another_wrapper(write_config):
    path = write_config("optim_wrapper = dict(type='ApexOptimWrapper')\n")
    with pytest.raises(ValueError, match="--amp needs optim_wrapper.type .* got 'ApexOptimWrapper'"):
        config('--amp', file=path)


def test_no_validate():
    cfg = config('--no-validate')
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None
    assert 'save_best' not in cfg.default_hooks.checkpoint


def test_auto_scale_lr():
    assert config('--auto-scale-lr').auto_scale_lr == dict(enable=True, base_batch_size=64)


@pytest.mark.parametrize('text', ['x = 1\n', 'auto_scale_lr = dict(enable=False)\n'])
def test_auto_scale_lr_without_its_base(write_config, text):
    message = r'--auto-scale-lr needs auto_scale_lr=dict\(base_batch_size=\.\.\.\) in the config'
    with pytest.raises(ValueError, match=message):
        config('--auto-scale-lr', file=write_config(text))


def test_auto_scale_lr_with_its_base_on_the_same_line(write_config):
    flags = ['--auto-scale-lr', '--cfg-options', 'auto_scale_lr.base_batch_size=16']
    assert config(*flags).auto_scale_lr == dict(enable=True, base_batch_size=16)
    assert config(*flags, file=write_config('x = 1\n')).auto_scale_lr == dict(enable=True, base_batch_size=16)


def test_randomness_of_the_command_line_goes_before_the_configs(write_config):
    cfg = config('--seed', '5', '--diff-rank-seed', '--deterministic')
    assert cfg.randomness == dict(seed=5, diff_rank_seed=True, deterministic=True)
    path = write_config('randomness = dict(seed=1, deterministic=True)\n')
    assert config(file=path).randomness == dict(seed=1, diff_rank_seed=False, deterministic=True)
    assert config('--seed', '0', file=path).randomness.seed == 0


def test_cfg_options_have_the_last_word():
    options = ['randomness.seed=9', 'train_dataloader.batch_size=3', 'model.backbone.flow.learn="[theta,tau]"']
    cfg = config('--seed', '5', '--cfg-options', *options)
    assert (cfg.randomness.seed, cfg.train_dataloader.batch_size) == (9, 3)
    assert cfg.model.backbone.flow.learn == ['theta', 'tau']


def test_work_dir_and_launcher(tmp_path):
    cfg = config('--work-dir', str(tmp_path), '--launcher', 'slurm', '--local_rank', '1')
    assert (cfg.work_dir, cfg.launcher) == (str(tmp_path), 'slurm')
    assert config().work_dir == './work_dirs/repflow_r50_kinetics'


KINETICS_LIST = 'data/kinetics400/kinetics400_train_list_videos.txt'


def test_missing_kinetics_ends_in_one_line(tmp_path):
    done = run_python(ROOT / 'tools' / 'train.py', ROOT / KINETICS, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count('\n') == 1, done.stderr
    assert done.stderr.startswith(f'error: annotation list {KINETICS_LIST} not found (from {tmp_path}). Get Kinetics')
    assert 'github.com/cvdfoundation/kinetics-dataset' in done.stderr
    assert not list(tmp_path.iterdir()), 'a run that never began leaves nothing behind'


def test_mmaction2s_own_train_names_the_missing_list(tmp_path):
    upstream = distribution('mmaction2').locate_file('mmaction/.mim/tools/train.py')
    done = run_python(upstream, ROOT / KINETICS, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f'FileNotFoundError: annotation list {KINETICS_LIST} does not exist')


def test_a_launchers_command_goes_on(monkeypatch, capsys):
    end = TrainingStopped(signal.SIGUSR1, None)
    train.say_how_to_go_on(end, [], 'pytorch')
    monkeypatch.setenv('REPFLOW_MM_COMMAND', 'tools/dist_train.sh a.py 2 --resume b.pth ')
    train.say_how_to_go_on(end, [], 'pytorch')
    monkeypatch.setenv('RANK', '1')
    train.say_how_to_go_on(end, [], 'pytorch')
    assert capsys.readouterr().out.splitlines() == [
        'stopped by SIGUSR1; its state is not saved',
        "to go on: the launcher's command with the flag --resume auto",
        'stopped by SIGUSR1; its state is not saved',
        'to go on: tools/dist_train.sh a.py 2 --resume b.pth --resume auto',
    ]
