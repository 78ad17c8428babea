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


def test_pairs_of_epochs_are_timed(motion_clips, tmp_path, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    arguments = dict(config=DEMO, steps=2, warm_up=1, batch_size=4, repeats=1, work_dir=tmp_path)
    rows, text = guards.run(SimpleNamespace(**arguments))
    assert [row['name'] for row in rows] == [guards.ON, guards.OFF]
    assert all(row['seconds_a_step'][0] > 0 for row in rows) and 'in the median of 1 pairs' in text
