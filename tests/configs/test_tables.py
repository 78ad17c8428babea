"""The ablation tables have the rows that they name."""

import pytest
import yaml
from helpers import ROOT
from looked_at import load_config, table_runs

from repflow_mm.sweeps.rows import load_references, load_tables, networks_of
from repflow_mm.sweeps.table_pictures import load_pictures

TABLES = ROOT / 'configs' / 'tiny_kinetics' / 'tables.yml'
DEMO_TABLES = ROOT / 'configs' / 'demo' / 'ablations' / 'tables.yml'
FILES = [pytest.param(file, id=file.parent.name) for file in (TABLES, DEMO_TABLES)]


def tables(file):
    return load_tables(list(yaml.safe_load(file.read_text())['tables']), str(file))


EVERY_TABLE = [(file, table) for file in (TABLES, DEMO_TABLES) for table in tables(file)]
RUNS = {file: table_runs(file) for file in (TABLES, DEMO_TABLES)}


def models(file, row):
    """The models of a row's networks."""
    return [RUNS[file][network.name].cfg.model for network in row.networks]


@pytest.mark.parametrize('file', FILES)
def test_tables_are_whole(file):
    found = tables(file)
    assert all(len({row.name for row in rows}) == len(rows) for rows in found.values())
    networks = networks_of(found)
    named = yaml.safe_load(file.read_text()).get('networks', {})
    assert {name for group in named.values() for name in group} == {n.name for n in networks if n.tables}
    # Networks on flow from disk stand beside those of the tables, which compute it.
    from_disk = {path for path in file.parent.glob('tvl1*.py') if reads_flow(load_config(path))}
    assert {network.config for network in networks} == set(file.parent.glob('*.py')) - from_disk


def epochs(file, row):
    """The epochs that each of a row's networks is trained for."""
    return [RUNS[file][network.name].cfg.train_cfg.max_epochs for network in row.networks]


def test_longer_rows_have_twice_the_schedule_of_the_rows_beside_them():
    rows = {row.name: row for row in tables(DEMO_TABLES)['longer']}
    longer = [row for row in rows.values() if row.reference]
    assert 2 * len(longer) == len(rows)
    for row in longer:
        name, number = row.name.rsplit(', ', 1)
        assert row.reference == name and number == f'{epochs(DEMO_TABLES, row)[0]} epochs'
        run, other = (RUNS[DEMO_TABLES][row.networks[0].name].cfg for row in (row, rows[name]))
        assert run.train_cfg.max_epochs == run.train_cfg.val_interval == run.param_scheduler[0].T_max
        assert run.train_cfg.max_epochs == 2 * other.train_cfg.max_epochs and run.model == other.model


def reads_flow(cfg):
    return cfg.train_dataloader.dataset.get('modality') == 'Flow'


@pytest.mark.parametrize('file', FILES)
def test_networks_differ(file):
    fingerprints = {name: run.fingerprint for name, run in RUNS[file].items()}
    assert len(set(fingerprints.values())) == len(fingerprints)


@pytest.mark.parametrize(('file', 'table'), EVERY_TABLE, ids=lambda value: getattr(value, 'parent', value))
def test_rows_of_a_table_differ_in_their_networks(file, table):
    rows = tables(file)[table]
    found = [([model.to_dict() for model in models(file, row)], epochs(file, row)) for row in rows]
    assert all(found[i] != found[j] for i in range(len(found)) for j in range(i))


@pytest.mark.parametrize('file', FILES)
def test_overrides_replace_settings_that_are_there(file):
    """A key with a slip of the pen would add a setting; new ones are those of the block alone, which checks them."""
    for network in networks_of(tables(file)):
        for key, _ in network.overrides:
            *path, last = key.split('.')
            part = load_config(network.config)
            for name in path if not key.startswith('model.backbone.flow.') else ():
                part = part[int(name) if name.isdigit() else name]
            assert last in part or key.startswith('model.backbone.flow.') or last == 'num_flows', key


@pytest.mark.parametrize('file', FILES)
def test_iterations_and_what_is_learned_are_what_the_rows_say(file):
    for row in tables(file)['iterations']:
        (model,) = models(file, row)
        count, learned = row.name.split(', ')
        assert model.backbone.flow.num_iters == int(count)
        assert (learned == 'learned') == bool(model.backbone.flow.learn)


@pytest.mark.parametrize('file', FILES)
def test_late_rows_fuse_the_rgb_network_with_one_that_has_flow(file):
    late = [row for row in tables(file)['fusion'] if row.name.startswith('late')]
    assert len(late) == 2
    for row in late:
        assert ['flow' in model.backbone for model in models(file, row)] == [False, True]


@pytest.mark.parametrize('file', FILES)
def test_two_stream_rows_fuse_rgb_and_flow_of_one_network(file):
    for table in ('where', 'conv3d'):
        rows = {row.name: row for row in tables(file)[table]}
        two_stream = [row for name, row in rows.items() if 'two-stream' in name]
        assert len(two_stream) == dict(where=1, conv3d=2)[table]
        for row in two_stream:
            assert all(any(other.networks == (part,) for other in rows.values()) for part in row.networks)
            rgb, flow = models(file, row)
            assert flow.data_preprocessor.type == 'FlowDataPreprocessor'
            assert flow.backbone.in_channels in (2, 10)
            different = {
                key for key in {**rgb.backbone, **flow.backbone} if rgb.backbone.get(key) != flow.backbone[key]
            }
            assert different <= {'in_channels', 'num_segments'}
            assert len({str(RUNS[file][part.name].cfg.test_dataloader) for part in row.networks}) == 1


STEPS = {
    'flow-flow': ('flow', 'flow'),
    'flow-conv-flow': ('flow', 'conv', 'flow'),
    'flow-conv-flow-conv-flow': ('flow', 'conv', 'flow', 'conv', 'flow'),
    'FcF': ('flow', 'conv', 'flow'),
    'FcFcF': ('flow', 'conv', 'flow', 'conv', 'flow'),
}


@pytest.mark.parametrize('file', FILES)
def test_flow_of_flow_rows_say_which_form_it_has(file):
    residual = load_config('configs/_base_/models/fcf.py').fcf.to_dict()
    all_flows = load_config('configs/_base_/models/fcf_all_flows.py').fcf.to_dict()
    assert residual.pop('steps') == all_flows.pop('steps') == STEPS['FcF']
    seen = set()
    for row in (row for table, rows in tables(file).items() if table != 'fcf_settings' for row in rows):
        flow = models(file, row)[-1].backbone.get('flow') or {}
        form = row.name.removesuffix(', 12 epochs')
        name = form.removesuffix(', all flows')
        kind = name.split(', ')[-1]
        assert (kind in ('FcF', 'FcFcF') and name == form) == ({key: flow.get(key) for key in residual} == residual)
        assert (name != form) == (flow.get('outputs', 'last') == 'all')
        if 'conv' in flow.get('steps', ()):
            assert (name != form) == ({key: flow.get(key) for key in all_flows} == all_flows)
        assert len(flow.get('steps', ())) < 2 or tuple(flow.steps) == STEPS[kind]
        assert flow.get('fusion', 'none') == 'none' or kind not in STEPS or kind in ('FcF', 'FcFcF')
        seen.add(kind)
    assert seen >= set(STEPS)


def test_settings_of_flow_of_flow_change_what_the_row_says():
    rows = {
        row.name: models(DEMO_TABLES, row)[0].backbone.flow.to_dict() for row in tables(DEMO_TABLES)['fcf_settings']
    }
    form = rows.pop('FcF, all flows')
    assert {name: {key: flow[key] for key in flow if flow[key] != form.get(key)} for name, flow in rows.items()} == {
        '5 iterations': dict(num_iters=5),
        '20 iterations': dict(num_iters=20),
        '50 iterations': dict(num_iters=50),
        'lam from 0.04': dict(lam=0.04),
        'lam from 0.6': dict(lam=0.6),
        'theta from 1.2, tau from 1': dict(theta=1.2, tau=1.0),
        'scaled by root mean square': dict(normalize='clip_rms'),
    }


@pytest.mark.parametrize('file', sorted(ROOT.glob('configs/**/tables.yml')), ids=lambda file: file.parent.name)
def test_references_are_rows_of_their_tables(file):
    content = yaml.safe_load(file.read_text())
    found = load_tables(list(content['tables']), str(file))
    references = load_references(found, str(file))
    for table, name in content.get('references', {}).items():
        assert name in references[table].values()
    assert load_pictures(found, str(file)).keys() == found.keys()
    assert set(content.get('references', {})) | set(content.get('pictures', {})) <= set(found)
