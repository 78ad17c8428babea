from helpers import ROOT

from benchmarks import flow_workers


def test_training_steps_are_timed(motion_clips, tmp_path, monkeypatch):
    monkeypatch.setenv('MOTION_CLIPS', str(motion_clips))
    for config in {config for config, _ in flow_workers.SETTINGS.values()}:
        row = flow_workers.measure_training(ROOT / flow_workers.CONFIGS / config, 0, 1, 1, tmp_path)
        assert row['seconds'] > 0 and row['samples'] > 0
