"""Metafiles (OpenMMLab's lists of models), made of the configs and one table of the paper's results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from mmengine.config import Config

from repflow_mm.apis.command_line import one_line_errors
from repflow_mm.files import write_text

TABLE = 'paper_results.yml'
HEAD = f'# Made by tools/metafiles.py of the configs and configs/{TABLE}.'
KINDS = {'RepFlowResNet': '', 'RepFlowResNet3d': ' 3D', 'RepFlowResNet2Plus1d': ' (2+1)D'}


def metafiles(configs: Path) -> dict[Path, str]:
    """The text of every metafile that the table of the paper's results asks for, by the file it belongs in.

    Args:
        configs (Path): Folder of the configs and of ``paper_results.yml``, which has ``metafiles``: for each folder the
            data set and the configs; ``collection``: what all models belong to; ``results``: the paper's top-1
            accuracies in %, with the config of each where there is one; and their ``source``.

    Returns:
        dict[Path, str]: Text of each metafile.

    Raises:
        FileNotFoundError: If the table does not exist.
        ValueError: If a result is of a config that is in no metafile of its data set.
    """
    file = configs / TABLE
    if not file.is_file():
        raise FileNotFoundError(f"table of the paper's results {file} does not exist")
    table = yaml.safe_load(file.read_text(encoding='utf-8'))
    listed = {folder: _listed(configs, chosen['configs']) for folder, chosen in table['metafiles'].items()}
    _check_results(table, listed)
    texts = {}
    for folder, chosen in table['metafiles'].items():
        entries = [_entry(configs, config, chosen['data'], table) for config in listed[folder]]
        texts[configs / folder / 'metafile.yml'] = _text(table['collection'], entries)
    return texts


def _listed(configs: Path, patterns: Sequence[str]) -> list[str]:
    """The configs of the patterns, each pattern's in order."""
    return [path.relative_to(configs).as_posix() for pattern in patterns for path in sorted(configs.glob(pattern))]


def _check_results(table: dict, listed: dict[str, list[str]]) -> None:
    """Raise ValueError if a result's config is in no metafile of its data set."""
    data_of = {config: table['metafiles'][folder]['data'] for folder, found in listed.items() for config in found}
    for result in table['results']:
        if 'config' in result and data_of.get(result['config']) != result['data']:
            raise ValueError(f'{TABLE}: {result["config"]!r} is no config of a metafile of {result["data"]}')


def _text(collection: dict, entries: Sequence[dict]) -> str:
    parts = [dict(Collections=[collection]), dict(Models=list(entries[:1])), *([entry] for entry in entries[1:])]
    texts = [yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=1000) for part in parts]
    return '\n'.join((f'{HEAD}\n{texts[0]}', *texts[1:]))


def _entry(configs: Path, config: str, data: str, table: dict) -> dict:
    """What the metafile says of one config."""
    cfg = Config.fromfile(configs / config)
    batch_size = cfg.train_dataloader.batch_size
    gpus = cfg.auto_scale_lr.base_batch_size // batch_size
    size = next(step.crop_size for step in cfg.test_pipeline if step.type == 'CenterCrop')
    entry = dict(Name=Path(config).stem, Config=f'{configs.name}/{config}')
    entry['In Collection'] = table['collection']['Name']
    entry['Metadata'] = {
        'Architecture': _architecture(cfg.model.backbone),
        'Batch Size': batch_size,
        'Epochs': cfg.train_cfg.max_epochs,
        'Pretrained': _pretraining(cfg),
        'Resolution': f'{size}x{size}',
        'Training Data': data,
        'Training Resources': f'{gpus} GPU{"s" if gpus > 1 else ""}',
    }
    entry['Modality'] = 'Flow' if _reads_flow(cfg) else 'RGB'
    results = [result for result in table['results'] if result.get('config') == config]
    if results:
        entry['Results'] = [_result(result, table['source']) for result in results]
    return entry


def _result(result: dict, source: str) -> dict:
    metrics = {'Top 1 Accuracy': result['top1']}
    return dict(Dataset=result['data'], Task='Action Recognition', Source=source, Metrics=metrics)


def _architecture(backbone: dict) -> str:
    if backbone['type'] not in KINDS:
        return backbone['type']
    # Convolutions of 3x1x1 factorise space and time, as R(2+1)D's do.
    kind = ' (2+1)D' if backbone.get('inflate_style') == '3x1x1' else KINDS[backbone['type']]
    return f'ResNet{backbone["depth"]}{kind}'


def _pretraining(cfg: Config) -> str:
    if cfg.model.backbone.get('pretrained'):
        return 'ImageNet'
    return 'Kinetics-400' if cfg.load_from else 'None'


def _reads_flow(cfg: Config) -> bool:
    """Whether the network sees flow, from disk or computed on the fly."""
    from_disk = cfg.train_dataloader.dataset.get('modality') == 'Flow'
    return from_disk or cfg.model.data_preprocessor.type == 'FlowDataPreprocessor'


def main(argv: Sequence[str] | None = None) -> int:
    """Write the metafiles, or say which are not current; returns the number of those."""
    parser = argparse.ArgumentParser(description="Make the metafiles of the configs and of the paper's results.")
    parser.add_argument('configs', nargs='?', default='configs', type=Path, help='folder of configs (default: configs)')
    parser.add_argument('--check', action='store_true', help='write nothing, name the files that are not current')
    args = parser.parse_args(argv)
    with one_line_errors():
        texts = metafiles(args.configs)
    old = [file for file, text in texts.items() if not file.is_file() or file.read_text(encoding='utf-8') != text]
    for file in old:
        if not args.check:
            write_text(file, texts[file].splitlines())
        sys.stdout.write(f'{file} {"is not current" if args.check else "written"}\n')
    return len(old) if args.check else 0
