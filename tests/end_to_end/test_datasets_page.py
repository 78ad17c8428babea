"""What docs/datasets.md says is typed here."""

import importlib
import re
import shlex
import shutil

import pytest
from helpers import ROOT, shrink_config
from mmengine.config import Config
from mmengine.runner import Runner

from repflow_mm.__main__ import COMMANDS, main
from repflow_mm.apis.preflight import check_config

PAGE = (ROOT / 'docs' / 'datasets.md').read_text()
BLOCKS = re.findall(r'```(bash|python)\n(.*?)```', PAGE, re.DOTALL)
TYPED = [shlex.split(line) for kind, text in BLOCKS if kind == 'bash' for line in text.replace('\\\n', '').splitlines()]


@pytest.mark.parametrize('words', TYPED, ids=' '.join)
def test_commands_are_understood(words):
    program, command, *arguments = words
    assert program == 'repflow-mm'
    importlib.import_module(COMMANDS[command][0]).parse_args(arguments)


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
    (tmp_path / 'mine.py').write_text(config)
    labels = {0: 1, 1: 0, 3: 4, 4: 3}
    with pytest.raises(ValueError, match=f'flip_label_map={labels}'):
        check_config(Config.fromfile('mine.py'), ('train', 'val', 'test'))
    (tmp_path / 'flips.py').write_text(config + flips.replace('{0: 1, 1: 0}', str(labels)))
    cfg = Config.fromfile('flips.py')
    check_config(cfg, ('train', 'val', 'test'))
    train(cfg, motion_clips, tmp_path)


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
