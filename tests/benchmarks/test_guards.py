from dataclasses import replace
from types import SimpleNamespace

from helpers import ROOT
from mmengine.config import Config

from benchmarks import guards

DEMO = ROOT / 'configs/demo/repflow_r18_motion_clips.py'


def test_all_guards_are_taken_out():
    cfg = Config.fromfile(DEMO)
    guards.without_guards(cfg)
    text = cfg.pretty_text
    assert not cfg.custom_hooks and "type='VideoDataset'" in text and "type='EpochBasedTrainLoop'" in text
    for name in ('FiniteNumbersHook', 'StepSeedHook', 'InterruptionHook', 'BadDataHook', 'ReadWatchHook'):
        assert name in Config.fromfile(DEMO).pretty_text and name not in text


def test_other_hooks_stay():
    cfg = Config.fromfile(DEMO)
    cfg.custom_hooks.append(dict(type='EMAHook'))
    guards.without_guards(cfg)
    assert [hook['type'] for hook in cfg.custom_hooks] == ['EMAHook'] and 'checkpoint' in cfg.default_hooks


def test_pairs_of_steps_are_timed(tmp_path, monkeypatch):
    config, _, clips = guards.NETWORKS['demo']
    clips = replace(clips, train=8, val=1, size=32, length=8)
    monkeypatch.setitem(guards.NETWORKS, 'demo', (ROOT / config, 2, clips))
    arguments = dict(network='demo', config=None, steps=4, warm_up=1, batch_size=None, repeats=1, work_dir=tmp_path)
    pairs, text = guards.run(SimpleNamespace(**arguments))
    assert len(pairs) == 4, 'over the end of an epoch'
    assert all(0 < pair['own'] < pair['on'] and pair['off'] > 0 for pair in pairs)
    assert text.startswith('demo, 2 samples a step, 4 pairs of steps') and "| the guards' own time |" in text


def test_configs_of_the_networks_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(guards, 'make_motion_clips', lambda folder, options: None)
    for name in guards.NETWORKS:
        cfg = guards.load_config(name, None, 3, tmp_path)
        assert cfg.train_dataloader.batch_size == 3 and cfg.train_dataloader.num_workers == 0
        assert cfg.train_dataloader.dataset.ann_file == str(tmp_path / f'{name}_clips' / 'train.txt')
