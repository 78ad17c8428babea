import inspect
import os
from types import SimpleNamespace

import pytest
from helpers import ROOT
from mmaction.datasets.transforms import PackActionInputs

from repflow_mm.apis import test as test_api

KINETICS = 'configs/repflow_r50_kinetics.py'


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Undo what a launcher's flags write into the environment."""
    monkeypatch.setattr(os, 'environ', dict(os.environ))


@pytest.fixture
def config(tmp_path):
    (tmp_path / 'epoch_1.pth').touch()

    def config(*flags, file=KINETICS, checkpoint=tmp_path / 'epoch_1.pth'):
        return test_api.config_from_args(test_api.parse_args([str(ROOT / file), str(checkpoint), *flags]))

    return config


def test_defaults(config, tmp_path):
    cfg = config()
    assert cfg.load_from == str(tmp_path / 'epoch_1.pth')
    assert cfg.test_evaluator == dict(type='AccMetric')
    assert 'visualization' not in cfg.default_hooks
    assert (cfg.work_dir, cfg.launcher) == ('./work_dirs/repflow_r50_kinetics', 'none')


def test_missing_checkpoint(config):
    with pytest.raises(FileNotFoundError, match=r'^checkpoint none\.pth does not exist$'):
        config(checkpoint='none.pth')


def test_remote_checkpoint_is_left_to_mmengine(config):
    assert config(checkpoint='https://host/model.pth').load_from == 'https://host/model.pth'


@pytest.mark.parametrize('name', ['scores.pkl', 'scores.pickle'])
def test_dump_is_one_more_evaluator(config, name):
    dump = dict(type='DumpResults', out_file_path=name)
    assert config('--dump', name).test_evaluator == [dict(type='AccMetric'), dump]


def test_dump_after_several_evaluators(config, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("test_evaluator = [dict(type='AccMetric'), dict(type='ConfusionMatrix')]\n")
    types = [evaluator['type'] for evaluator in config('--dump', 'a.pkl', file=path).test_evaluator]
    assert types == ['AccMetric', 'ConfusionMatrix', 'DumpResults']


def test_dump_keeps_the_names_of_the_samples(config, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        "step = dict(type='PackActionInputs')\n"
        "other = dict(type='PackActionInputs', meta_keys=('img_shape', 'filename'))\n"
        "parts = [dict(ann_file='a', pipeline=[step]), dict(ann_file='b', pipeline=[dict(type='Flip'), other])]\n"
        "test_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=parts))\n"
        "test_evaluator = dict(type='AccMetric')\n"
    )

    def kept(*flags):
        return [
            part.pipeline[-1].get('meta_keys') for part in config(*flags, file=path).test_dataloader.dataset.datasets
        ]

    assert kept() == [None, ('img_shape', 'filename')]
    default = inspect.signature(PackActionInputs).parameters['meta_keys'].default
    names = ('filename', 'frame_dir', 'offset')
    assert kept('--dump', 'a.pkl') == [(*default, *names), ('img_shape', *names)]


def test_dump_with_another_suffix(config):
    with pytest.raises(ValueError, match=r"^--dump must end in \.pkl or \.pickle, got 'scores\.json'$"):
        config('--dump', 'scores.json')


def test_places_that_cannot_be_written_are_named_before_the_test(config, tmp_path):
    with pytest.raises(OSError, match=r'^--dump /proc/a\.pkl cannot be written: .+ \(/proc\)$'):
        config('--dump', '/proc/a.pkl')
    (tmp_path / 'scores.pkl').mkdir()
    with pytest.raises(ValueError, match=r'^--dump must be a file, got the folder .*scores\.pkl$'):
        config('--dump', str(tmp_path / 'scores.pkl'))
    with pytest.raises(OSError, match=r'^--show-dir /proc/pictures cannot be written'):
        config('--show-dir', '/proc/pictures')


@pytest.mark.parametrize(('flags', 'show', 'out_dir'), [(['--show'], True, None), (['--show-dir', 'o'], False, 'o')])
def test_show(config, flags, show, out_dir):
    hook = config(*flags, '--interval', '3', '--wait-time', '0.5').default_hooks.visualization
    assert hook == dict(
        type='VisualizationHook', enable=True, show=show, out_dir=out_dir, wait_time=0.5, interval=3
    )  # fmt: skip


def test_cfg_options_work_dir_and_launcher(config, tmp_path):
    flags = ['--work-dir', str(tmp_path), '--launcher', 'pytorch', '--local-rank', '1']
    cfg = config(*flags, '--cfg-options', 'test_dataloader.num_workers=1')
    assert (cfg.work_dir, cfg.launcher, cfg.test_dataloader.num_workers) == (str(tmp_path), 'pytorch', 1)


def test_an_interrupt_is_a_line(monkeypatch, tmp_path, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(test_api, 'build_runner', lambda cfg, modes: SimpleNamespace(test=interrupted, hooks=[]))
    (tmp_path / 'a.pth').touch()
    with pytest.raises(SystemExit, match='^130$'):
        test_api.main([str(ROOT / KINETICS), str(tmp_path / 'a.pth')])
    assert capsys.readouterr().err == 'interrupted\n'
