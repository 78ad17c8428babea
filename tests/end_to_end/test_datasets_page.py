"""What docs/datasets.md says is typed here."""

import json
import re
import shlex
import shutil
import subprocess

import pytest
from downloads import write_downloads
from helpers import ROOT, shrink_config
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.__main__ import COMMANDS, main
from repflow_mm.apis.preflight import check_config
from repflow_mm.datasets.lists.list_files import read_frame_list, read_video_list
from repflow_mm.sweeps import ablate
from repflow_mm.sweeps.rows import load_tables

PAGE = (ROOT / 'docs' / 'datasets.md').read_text()
BLOCKS = re.findall(r'```(bash|python)\n(.*?)```', PAGE, re.DOTALL)
TYPED = [shlex.split(line) for kind, text in BLOCKS if kind == 'bash' for line in text.replace('\\\n', '').splitlines()]


# What the configs of each data set read.
LISTS = [path for path in sorted((ROOT / 'configs/_base_/lists').glob('*.py')) if not path.stem.endswith('_flow')]


@pytest.fixture(scope='module')
def downloads(tmp_path_factory):
    """A folder with all data sets, where every command that makes lists was typed."""
    folder = tmp_path_factory.mktemp('downloads')
    write_downloads(folder / 'data')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for program, *words in TYPED:
            assert program == 'repflow-mm'
            if words[0] != 'ablate':
                assert main(words) == 0
    return folder


def test_commands_find_every_clip(downloads):
    reports = {path.name: json.loads(path.read_text()) for path in downloads.glob('data/*/*_report.json')}
    tiny = reports.pop('tiny_kinetics_report.json')
    assert [tiny[split]['found'] for split in ('train', 'val')] == [150, 150]
    assert len(reports) == 11
    for name, report in reports.items():
        counts = report['lists'].values()
        assert all(count['found'] == count['listed'] > 0 and count['missing'] == [] for count in counts), name
        assert report['extra'] == [] and report['incomplete'] == [], name
    assert reports['mine_report.json']['groups'] == 10
    sthv2 = json.loads((downloads / 'data/sthv2/sthv2_flip_labels.json').read_text())
    assert sthv2 == {'0': 1, '1': 0}


@pytest.mark.parametrize('file', LISTS, ids=lambda file: file.stem)
def test_configs_read_the_lists_that_the_commands_write(downloads, file, monkeypatch):
    monkeypatch.chdir(downloads)
    cfg = Config.fromfile(file)
    for data in (cfg.train_data, cfg.val_data):
        ((kind, folder),) = data.data_prefix.items()
        read = read_frame_list if kind == 'img' else read_video_list
        entries = read(data.ann_file, with_offset=data.get('with_offset', False))
        assert entries and all((downloads / folder / entry.path).exists() for entry in entries)


def test_every_list_command_is_on_the_page():
    makers = {path.stem for path in (ROOT / 'repflow_mm' / 'datasets' / 'list_makers').glob('*.py')} & set(COMMANDS)
    assert len(makers) >= 11 and makers == {words[1] for words in TYPED} - {'ablate'}
    configs = {path.name for path in (ROOT / 'configs').iterdir() if path.is_dir()}
    assert configs - {'_base_', 'demo'} <= set(re.findall(r'`configs/(\w+)/`', PAGE))


def test_videos_of_ones_own_are_listed_checked_and_trained(motion_clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in (motion_clips / 'train.txt').read_text().splitlines():
        path = line.rsplit(' ', 1)[0]
        folder = tmp_path / 'data' / 'mine' / 'videos' / (motion_clips / path).stem.rsplit('_', 1)[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(motion_clips / path, folder)
    config, flips = (text.replace("'configs/", f"'{ROOT}/configs/") for kind, text in BLOCKS if kind == 'python')
    main(next(words for words in TYPED if words[1] == 'folders')[1:])
    check_table(next(words for words in TYPED if 'work_dirs/mine' in words))
    (tmp_path / 'mine.py').write_text(config)
    labels = {0: 1, 1: 0, 3: 4, 4: 3}
    with pytest.raises(ValueError, match=f'flip_label_map={labels}'):
        check_config(Config.fromfile('mine.py'), ('train', 'val', 'test'))
    (tmp_path / 'flips.py').write_text(config + flips.replace('{0: 1, 1: 0}', str(labels)))
    cfg = Config.fromfile('flips.py')
    check_config(cfg, ('train', 'val', 'test'))
    train(cfg, motion_clips, tmp_path)


def check_table(words):
    """Every network of a table passes the checks before a training, as bash gives the command its words."""
    typed = ['bash', '-c', f'printf "%s\\n" {" ".join(words[2:])}']
    given = subprocess.run(typed, capture_output=True, text=True, check=True).stdout.split()
    args = ablate.parse_args([word.replace('configs/', f'{ROOT}/configs/') for word in given])
    runs = ablate.runs_of(load_tables(args.what, args.tables), args)
    assert len(runs) == 15 and len({run.network for run in runs}) == 5
    for run in runs[:5]:
        check_config(run.cfg, ('train', 'val', 'test'))


def train(cfg, motion_clips, tmp_path):
    """A step at reduced size, on the config's own lists."""
    data = {mode: cfg[f'{mode}_dataloader'].dataset.to_dict() for mode in ('train', 'val', 'test')}
    shrink_config(cfg, motion_clips, tmp_path / 'work')
    for mode, dataset in data.items():
        cfg[f'{mode}_dataloader'].dataset.update(ann_file=dataset['ann_file'], data_prefix=dataset['data_prefix'])
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 1
    assert 0 <= runner.test()['acc/top1'] <= 1
