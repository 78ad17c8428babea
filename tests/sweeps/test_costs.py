import pytest
from helpers import ROOT, shrink_config
from mmengine.config import Config

from repflow_mm.sweeps import costs as module
from repflow_mm.sweeps.costs import Cost, costs_of, read_costs, total_cost, write_costs


def configs(motion_clips, tmp_path, *names):
    found = {name: Config.fromfile(ROOT / 'configs' / 'demo' / f'{name}_motion_clips.py') for name in names}
    for cfg in found.values():
        shrink_config(cfg, motion_clips, tmp_path)
    return found


def test_flow_that_is_computed_on_the_fly_counts_in_time(motion_clips, tmp_path, monkeypatch):
    scores = []

    def seconds_of(calls, repeats, device, progress):
        for call in calls.values():
            (sample,) = call()
            scores.append((tuple(sample.pred_score.shape), int(sample.gt_label)))
        return {config: [0.5, 0.25, float(number)] for number, config in enumerate(calls, start=1)}

    monkeypatch.setattr(module, 'seconds_of', seconds_of)
    seen = []
    original = module.MODELS.build

    def build(cfg):
        model = original(cfg)
        if hasattr(model, 'backbone'):
            model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
        return model

    monkeypatch.setattr(module.MODELS, 'build', build)
    costs = costs_of(configs(motion_clips, tmp_path, 'rgb_r18', 'flow_r18', 'repflow_r18'))
    assert [cost.seconds for cost in costs.values()] == [0.25] * 3
    # Frames, and the flow between them; the counter of operations takes the same once more.
    assert seen[:2] == [(1, 3, 5, 32, 32), (1, 2, 4, 32, 32)] and seen[3:] == seen[:3]
    assert scores == [((8,), 0)] * 3
    rgb, flow, repflow = costs.values()
    assert rgb.parameters - flow.parameters == 64 * 7 * 7  # a channel less in the stem
    assert 0 < flow.operations < rgb.operations
    assert 0 < repflow.operations < rgb.operations  # a frame less behind the block


def test_real_times(motion_clips, tmp_path):
    (cost,) = costs_of(configs(motion_clips, tmp_path, 'repflow_r18'), repeats=2).values()
    assert 0 < cost.seconds < 10 and 'thread' in cost.machine


def test_missing_test_set_is_named(motion_clips, tmp_path):
    found = configs(motion_clips, tmp_path, 'rgb_r18')
    found['rgb_r18'].test_dataloader.dataset.ann_file = str(tmp_path / 'missing.txt')
    with pytest.raises(FileNotFoundError, match='missing.txt does not exist'):
        costs_of(found)


def test_costs_are_kept_and_added_to(tmp_path):
    assert read_costs(tmp_path) == {}
    tmp_path = tmp_path / 'a sweep' / 'that has not begun'
    write_costs(tmp_path, dict(rgb=Cost(0.5, 10, 20, 'CPU')))
    write_costs(tmp_path, dict(flow=Cost(0.25, 1, 2, 'CPU')))
    rgb, flow = read_costs(tmp_path).values()
    assert total_cost([rgb, flow]) == Cost(0.75, 11, 22, 'CPU')
    assert total_cost([rgb, None]) is None
    assert total_cost([rgb, flow._replace(machine='GPU')]) is None  # times that cannot be added
