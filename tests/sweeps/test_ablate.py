import csv
import json
import threading
from pathlib import Path

import pytest
import torch
from helpers import other_run
from small_sweep import CONFIG, calls, run

from repflow_mm.apis.options import TRAINING_LOCK
from repflow_mm.sweeps import ablate
from repflow_mm.sweeps import runs as ablation_runs
from repflow_mm.sweeps.costs import Cost, read_costs, write_costs
from repflow_mm.sweeps.rows import load_tables


def test_table_has_mean_deviation_and_protocol(sweep):
    failed, _, work_dir = run(sweep, 'good')
    assert failed == 0
    text = (work_dir / 'good.md').read_text()
    assert '| low | 15.0 ± 7.1 | 2 |' in text  # 10 % and 20 %
    assert '| high | 55.0 ± 7.1 | 2 |' in text
    assert '2 × 3 views, 8 frames at interval 1, 32 pixels, 5 training, 2 test clips' in text
    rows = list(csv.reader((work_dir / 'good.csv').open()))
    assert rows[:2] == [['row', 'seed 0', 'seed 1'], ['low', '0.1', '0.2']]
    assert (work_dir / 'good.png').read_bytes().startswith(b'\x89PNG')


def test_table_names_the_code_of_the_runs(sweep, monkeypatch):
    monkeypatch.setattr(ablation_runs, 'code_version', lambda: 'commit abc1234')
    run(sweep, 'good', seeds='0')
    monkeypatch.setattr(ablation_runs, 'code_version', lambda: 'version 1.2')
    run(sweep, 'good', seeds='0')
    assert (sweep / 'work' / 'good.md').read_text().endswith('; commit abc1234.\n')
    run(sweep, 'good')
    assert (sweep / 'work' / 'good.md').read_text().endswith('; commit abc1234, version 1.2.\n')


def test_table_names_the_devices_that_trained_its_runs(sweep, monkeypatch):
    monkeypatch.setattr(ablation_runs, 'code_version', lambda: 'commit abc1234')
    table = sweep / 'work' / 'good.md'
    for seed, device in ((0, 'a processor'), (1, '2 × a GPU'), (2, None)):
        meta = dict(epoch=1, iter=1) if device is None else dict(epoch=1, iter=1, device=device)
        torch.save(dict(state_dict={}, message_hub={}, meta=meta), sweep / 'state.pth')
        run(sweep, 'good', seeds=str(seed))
        result = sweep / 'work' / 'runs' / 'low' / f'seed{seed}' / 'result.json'
        assert json.loads(result.read_text())['device'] == device
        named = device or 'a device that is not recorded'
        assert table.read_text().endswith(f'; trained on {named}; commit abc1234.\n')
    run(sweep, 'good')
    assert '; trained on 2 × a GPU, a processor; ' in table.read_text()  # seeds 0 and 1


def test_costs_are_columns_in_which_late_rows_add_up(sweep, monkeypatch):
    def costs_of(configs, **_):
        known = {'low': Cost(0.01, 1000, 5 * 10**8, 'a CPU'), 'high': Cost(0.0205, 200, 10**9, 'a CPU')}
        return {name: known[name] for name in configs}

    monkeypatch.setattr(ablate, 'costs_of', costs_of)
    lines = []
    argv = ['good', '--tables', str(sweep / 'tables.yml'), '--work-dir', str(sweep / 'work'), '--seeds', '0', '1']
    ablate.main([*argv, '--time'], show=lines.append)
    text = (sweep / 'work' / 'good.md').read_text()
    assert '| good | top-1, % | seeds | parameters | GFLOP | ms a video |' in text
    assert '| low | 15.0 ± 7.1 | 2 | 1,000 | 0.5 | 10.0 |' in text
    assert '| late | 0.0 ± 0.0 | 2 | 1,200 | 1.5 | 30.5 |' in text and 'fed with it, on a CPU; ' in text
    rows = list(csv.reader((sweep / 'work' / 'good.csv').open()))
    assert rows[1] == ['low', '0.1', '0.2', '0.01', '1000', '500000000', 'a CPU']
    ablate.main(argv, show=lines.append)  # without --time: what was measured stays
    assert (sweep / 'work' / 'good.md').read_text() == text
    costs = read_costs(sweep / 'work')
    del costs['high']
    (sweep / 'work' / 'costs.json').unlink()
    write_costs(sweep / 'work', costs)
    ablate.main(argv, show=lines.append)
    assert '| late | 0.0 ± 0.0 | 2 | – | – | – |' in (sweep / 'work' / 'good.md').read_text()


def test_late_row_averages_the_scores_of_its_configs(sweep):
    # low scores (0.9, 0.1), high (0.2, 0.8): the mean (0.55, 0.45) misses the label 1.
    _, _, work_dir = run(sweep, 'good', seeds='0')
    assert '| late | 0.0 | 1 |' in (work_dir / 'good.md').read_text()


def test_finished_runs_are_not_repeated_and_tables_share_them(sweep):
    _, _, work_dir = run(sweep, 'good')
    first = calls(work_dir)
    table = (work_dir / 'good.md').read_text()
    assert len(first) == 2 * 2 * 2
    _, text, _ = run(sweep, 'good')
    assert calls(work_dir) == first and text.count('done before') == 4
    assert (work_dir / 'good.md').read_text() == table


def test_stopped_sweep_ends_with_the_table_of_an_undisturbed_one(sweep, monkeypatch):
    _, _, work_dir = run(sweep, 'good')
    undisturbed = (work_dir / 'good.csv').read_text()
    work_dir.rename(sweep / 'undisturbed')
    run_locally, count = ablate.run_locally, []

    def stop_at_third(*args):
        count.append(args)
        if len(count) == 3:
            raise KeyboardInterrupt
        return run_locally(*args)

    monkeypatch.setattr(ablate, 'run_locally', stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        run(sweep, 'good')
    before = calls(work_dir)
    run(sweep, 'good')
    assert (work_dir / 'good.csv').read_text() == undisturbed
    assert calls(work_dir)[: len(before)] == before and len(calls(work_dir)) == len(set(calls(work_dir))) == 8


def test_jobs_are_done_at_once(sweep, monkeypatch):
    both, done = threading.Barrier(2, timeout=60), ablate.run_locally

    def meet_first(run, gpus, jobs):
        both.wait()
        return done(run, gpus, jobs)

    monkeypatch.setattr(ablate, 'run_locally', meet_first)
    argv = ['good', '--tables', str(sweep / 'tables.yml'), '--work-dir', str(sweep / 'work'), '--seeds', '0', '1']
    lines = []
    assert ablate.main([*argv, '--jobs', '2'], show=lines.append) == 0
    assert '| high | 55.0 ± 7.1 | 2 |' in (sweep / 'work' / 'good.md').read_text()
    assert lines[0] == '[1/4] low, seed 0\n' and ''.join(lines).count('seed 1: done in') == 2


def test_tables_only_runs_nothing(sweep):
    run(sweep, 'good', seeds='0')
    (sweep / 'work' / 'good.md').unlink()
    argv = ['good', '--tables', str(sweep / 'tables.yml'), '--work-dir', str(sweep / 'work'), '--seeds', '0', '1']
    assert ablate.main([*argv, '--tables-only'], show=str) == 0
    assert len(calls(sweep / 'work')) == 4 and '| low | 10.0 | 1 |' in (sweep / 'work' / 'good.md').read_text()


def test_failing_run_is_named_and_does_not_end_the_sweep(sweep):
    failed, text, work_dir = run(sweep, 'bad')
    assert failed == 2 and 'failed, see' in text
    assert '| broken | – | 0 |' in text and '| low | 15.0 ± 7.1 | 2 |' in text
    assert 'broken' in (work_dir / 'runs' / 'broken' / 'seed0' / 'log.txt').read_text()


def test_run_of_another_sweep_at_work_is_refused(sweep):
    folder = sweep / 'work' / 'runs' / 'low' / 'seed0'
    folder.mkdir(parents=True)
    with other_run(folder, '.sweep.lock') as other:
        failed, text, work_dir = run(sweep, 'good', seeds='0')
        assert failed == 1 and f'failed: another run is writing to {folder} (process {other.pid} on ' in text
    assert calls(work_dir) == ['train 0.5 0', 'test 0.5 0']
    with other_run(folder, TRAINING_LOCK) as other:
        other.stdin.close()
        assert run(sweep, 'good', seeds='0')[0] == 0


def test_folder_that_cannot_be_written_is_named_first(sweep):
    for flag in ('--work-dir', '--slurm-dir'):
        with pytest.raises(SystemExit, match=rf'^error: {flag} /proc/sweep cannot be written: .+ \(/proc\)$'):
            ablate.main(['good', '--tables', str(sweep / 'tables.yml'), flag, '/proc/sweep'])


def test_changed_config_is_not_mixed_with_old_results(sweep):
    run(sweep, 'good')
    (sweep / 'low.py').write_text(CONFIG.format(scale=0.2, lists=sweep))
    failed, text, _ = run(sweep, 'good')
    assert failed == 2 and 'holds a finished run of another version of' in text
    assert '| low | – | 0 |' in text


def test_accuracy_is_the_mean_over_splits(sweep):
    failed, text, work_dir = run(sweep, 'splits', splits='')
    assert failed == 0 and '[3/12] split-low, split 3, seed 0' in text
    text = (work_dir / 'splits.md').read_text()
    assert '| splits | top-1, % | split 1 | split 2 | split 3 | seeds |' in text
    # Seed 0: 10, 9 and 8 %; seed 1: 20, 19 and 18 %.
    assert '| low | 14.0 ± 7.1 | 15.0 ± 7.1 | 14.0 ± 7.1 | 13.0 ± 7.1 | 2 |' in text
    assert text.splitlines()[-1].startswith('Seeds 0, 1; mean over the splits (folds) 1, 2, 3; 2 × 3 views')
    rows = list(csv.reader((work_dir / 'splits.csv').open()))
    assert rows[0] == ['row', *(f'seed {seed} split {split}' for seed in (0, 1) for split in (1, 2, 3))]
    assert (work_dir / 'runs' / 'split-low' / 'split2' / 'seed1' / 'result.json').is_file()


def test_seed_without_all_splits_does_not_count(sweep):
    _, _, work_dir = run(sweep, 'splits', splits='1 2')
    (work_dir / 'runs' / 'split-low' / 'split2' / 'seed1' / 'result.json').unlink()
    tables = load_tables(['splits'], str(sweep / 'tables.yml'))
    args = ablate.parse_args(['splits', '--work-dir', str(work_dir), '--seeds', '0', '1', '--splits', '1', '2'])
    ablate.write_table('splits', tables['splits'], ablate.runs_of(tables, args), work_dir)
    assert '| low | 9.5 | 15.0 ± 7.1 | 9.0 | 1 |' in (work_dir / 'splits.md').read_text()


def test_splits_are_asked_for_where_there_are_some(sweep, monkeypatch):
    with pytest.raises(
        SystemExit, match="low.py has no splits: it does not say splits=dict\\(variable='NAME', count=3"
    ):
        run(sweep, 'good', splits='1 2')
    with pytest.raises(SystemExit, match='split.py has the splits 1 to 3, got 4'):
        run(sweep, 'splits', splits='1 4')
    with pytest.raises(SystemExit, match='without numbers needs configs of the same splits: .*low.py has 0'):
        run(sweep, 'good', splits='')
    monkeypatch.setenv('HMDB51_SPLIT', '2')
    with pytest.raises(SystemExit, match='split.py reads HMDB51_SPLIT, which is set: say --splits instead'):
        run(sweep, 'splits')
    assert not (sweep / 'work').exists()


def test_networks_have_overrides_and_can_be_run_by_name(sweep):
    _, text, work_dir = run(sweep, 'better', str(sweep / 'low.py'), seeds='0')
    text = (work_dir / 'configs.md').read_text()
    assert '| better | 50.0 | 1 |' in text and '| low | 10.0 | 1 |' in text
    result = json.loads((work_dir / 'runs' / 'better' / 'seed0' / 'result.json').read_text())
    assert result['network'] == f'{sweep / "low.py"}, model.scale=0.5'


def test_list_shows_networks_with_their_overrides_and_runs_nothing(sweep):
    lines = []
    ablate.main(['good', 'better', '--tables', str(sweep / 'tables.yml'), '--list'], show=lines.append)
    text = ''.join(lines)
    assert '  late: low + high\n' in text
    assert f'networks\n  low: {sweep / "low.py"}\n' in text
    assert f'  better: {sweep / "low.py"}, model.scale=0.5\n' in text
    assert not (sweep / 'work').exists()


def test_config_files_make_a_table_of_their_own(sweep):
    run(sweep, str(sweep / 'high.py'), seeds='3')
    assert '| high | 80.0 | 1 |' in (sweep / 'work' / 'configs.md').read_text()


def test_slurm_scripts_run_one_config_and_seed_each(sweep):
    scripts = slurm_scripts(sweep, 'good', '--gpus', '4', '--seeds', '0', '1', '--cfg-options', 'model.scale=0.3')
    assert len(scripts) == 4
    script = scripts['high-seed1.sh']
    assert '#SBATCH --gres=gpu:4' in script and '-m repflow_mm ablate ' in script
    assert 'high.py --seeds 1 ' in script and '--cfg-options model.scale=0.3' in script


def test_slurm_scripts_name_the_network_and_the_split(sweep):
    (script,) = slurm_scripts(sweep, 'split-low', '--seeds', '1', '--splits', '3').values()
    assert f'ablate split-low --tables {sweep / "tables.yml"} --seeds 1 --splits 3 ' in script


def slurm_scripts(sweep, *arguments):
    """Text of the job scripts by name."""
    folder, lines = sweep / 'jobs', []
    argv = [*arguments, '--tables', str(sweep / 'tables.yml'), '--slurm-dir', str(folder)]
    ablate.main(argv, show=lines.append)
    assert {Path(line.strip()) for line in lines} == set(folder.iterdir())
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ('what', 'message'),
    [
        ('nothing', "has no table 'nothing'; it has good, bad, splits, and the networks better, split-low, split-high"),
        ('missing.py', 'config missing.py does not exist'),
    ],
)
def test_unknown_names_are_quoted(sweep, what, message):
    with pytest.raises(SystemExit, match=message):
        run(sweep, what)


@pytest.mark.parametrize(
    'flags',
    [
        ['--gpus', '0'],
        ['--jobs', '0'],
        ['--seeds', '1', '1'],
        ['--splits', '2', '2'],
        ['--time', '--slurm-dir', 'jobs'],
        ['--tables-only', '--slurm-dir', 'jobs'],
    ],
)
def test_bad_flags_are_refused(sweep, flags, capsys):
    with pytest.raises(SystemExit):
        ablate.main(['good', *flags])
    assert flags[0] in capsys.readouterr().err


def test_result_of_a_run_records_commit_and_config(sweep):
    _, _, work_dir = run(sweep, 'good', seeds='0')
    result = json.loads((work_dir / 'runs' / 'low' / 'seed0' / 'result.json').read_text())
    assert result['seed'] == 0 and result['network'].endswith('low.py') and result['code']
