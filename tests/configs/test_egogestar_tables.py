"""The tables on EgoGestAR: every network can be built, and one of full width is its narrow one four times as wide."""

import pytest
import yaml
from helpers import ROOT
from looked_at import table_runs
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from repflow_mm.apis.scope import scope_of
from repflow_mm.sweeps.rows import load_references, load_tables, networks_of
from repflow_mm.sweeps.table_pictures import load_pictures

FILE = ROOT / 'configs' / 'egogestar' / 'tables.yml'
TABLES = load_tables(list(yaml.safe_load(FILE.read_text())['tables']), str(FILE))
RUNS = table_runs(FILE)
FULL_WIDTH = '-full-width'
WIDE = [name for name in RUNS if name.endswith(FULL_WIDTH)]


def model_of(cfg: Config) -> nn.Module:
    with scope_of(cfg):
        return MODELS.build(cfg.model)


def shapes(model):
    """Shapes of the kernels by their names."""
    return {name: tuple(value.shape) for name, value in model.named_parameters() if value.ndim > 1}


def test_every_network_is_in_a_table():
    named = yaml.safe_load(FILE.read_text())['networks']
    networks = networks_of(TABLES)
    assert {name for group in named.values() for name in group} == {network.name for network in networks}
    assert {network.config for network in networks} == set(FILE.parent.glob('*.py'))
    assert load_references(TABLES, str(FILE)).keys() == load_pictures(TABLES, str(FILE)).keys() == TABLES.keys()


@pytest.mark.parametrize('name', [name for name in RUNS if name not in WIDE])
def test_networks_can_be_built(name):
    model = model_of(RUNS[name].cfg)
    assert model.cls_head.num_classes == 10


@pytest.mark.parametrize('name', WIDE)
def test_full_width_is_four_times_the_narrow_width(name):
    narrow, wide = (shapes(model_of(RUNS[key].cfg)) for key in (name.removesuffix(FULL_WIDTH), name))
    assert narrow.keys() == wide.keys()
    stages = [key for key in narrow if 'layer' in key and 'flow_blocks' not in key]
    # Between their two convolutions (2+1)D blocks have a rounded number of channels.
    ratios = {tuple(round(wide[key][axis] / narrow[key][axis]) for axis in (0, 1)) for key in stages}
    assert ratios == {(4, 4)}


def test_second_flow_is_compared_with_the_first_of_the_same_network():
    one_flow = {row.name: row.networks for row in TABLES['others']}
    for row in TABLES['others_fcf']:
        assert row.networks == one_flow[row.name]
        assert row.reference == (f'{row.name.split(",")[0]}, one flow' if 'FcF' in row.name else None)
