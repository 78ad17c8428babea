"""What several tests share: configs at reduced size, and programs in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


def config_files() -> list[str]:
    """Every config that can be run, relative to the checkout."""
    files = (path.relative_to(ROOT) for path in sorted(ROOT.glob('configs/**/*.py')))
    return [str(path) for path in files if '_base_' not in path.parts]


def run_python(*arguments, cwd, path: tuple = (), **env) -> subprocess.CompletedProcess:
    """Run Python in another process, with the package importable and the folders of ``path`` before everything."""
    return run(sys.executable, *arguments, cwd=cwd, path=path, **env)


def run(*command, cwd, path: tuple = (), **env) -> subprocess.CompletedProcess:
    """Run a command as :func:`run_python` does; ``python`` on its PATH is this interpreter."""
    folders = [str(folder) for folder in (*path, ROOT)]
    programs = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    environment = {**os.environ, 'PATH': programs, 'PYTHONPATH': ':'.join(folders), 'OMP_NUM_THREADS': '1', **env}
    command = [str(part) for part in command]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def fork_ranks(num_ranks: int, work: Callable[[int], object]) -> list[int | None]:
    """Call ``work(rank)`` in forks of this process, with the variables that torchrun sets; returns their exit codes."""
    import torch

    def start(rank):
        # A fork has none of its parent's threads.
        torch.set_num_threads(1)
        os.environ.update(ranks, RANK=str(rank), LOCAL_RANK=str(rank))
        work(rank)

    ranks = dict(WORLD_SIZE=str(num_ranks), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(21000 + os.getpid() % 10000))
    processes = [multiprocessing.get_context('fork').Process(target=start, args=(rank,)) for rank in range(num_ranks)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
        process.kill()  # one that hangs
        process.join()
    return [process.exitcode for process in processes]


HOLD_LOCK = """
import sys
from pathlib import Path
from repflow_mm.files import locked
with locked(Path(sys.argv[1]), sys.argv[2]):
    print('held', flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_run(folder: Path, lock: str = '.lock') -> Iterator[subprocess.Popen]:
    """A process that holds the folder's lock until its standard input is closed, or it is killed."""
    command = [sys.executable, '-c', HOLD_LOCK, str(folder), lock]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': str(ROOT)}, **pipes)
    try:
        assert process.stdout.readline() == 'held\n'
        yield process
    finally:
        process.kill()
        process.wait()


def running_processes(group: int) -> list[str]:
    """Processes of a process group, those aside that have ended and wait for init to collect them."""
    processes = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, its_group = path.read_text().rpartition(')')[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != 'Z':
            processes.append(path.parent.name)
    return processes


def shrink_config(cfg, clips: Path, work_dir: Path, flow: Path | None = None, frames: Path | None = None) -> None:
    """Make a config small enough to train and test in a second or two on a CPU: depth and structure stay.

    Args:
        cfg: An MMEngine config, changed in place.
        clips: Folder of videos with ``train.txt`` and ``val.txt``; labels from 0 to 7.
        work_dir: The run's working folder.
        flow: Folder of the videos' flow with ``train.txt`` and ``val.txt``, for configs that read flow from disk.
        frames: Folder of the videos' frames with ``train.txt`` and ``val.txt``, for configs that read frames from disk.
    """
    # The network itself, which may be inside of a WithFlow.
    backbone = cfg.model.backbone.get('backbone', cfg.model.backbone)
    # Enough for three flows; for a 3D backbone, which divides T by 4 before the flow, enough for two.
    num_frames = 5 if backbone.type in ('RepFlowResNet', 'ResNet') else 12
    if backbone is not cfg.model.backbone:
        # Position embeddings and temporal shifts are made for one T.
        num_frames = backbone.get('num_frames', backbone.get('num_segments', num_frames))
    # Enough for a stack of flows.
    num_frames = max(num_frames, (cfg.model.data_preprocessor.get('stack_length') or 0) + 1)
    # A flow needs two pixels, and block 5 has a 32nd of the frame's side.
    size = 64 if 'block5' in str(cfg.model.backbone.get('flow')) else 32
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'{work_dir}'.replace('/', '_')
    cfg.load_from, cfg.default_hooks.checkpoint = None, None
    backbone.pretrained = None
    if 'pretrained2d' in backbone:
        backbone.pretrained2d = False
    for name in ('num_segments', 'num_frames') if cfg.model.type != 'Recognizer2D' else ():
        for part in (backbone, cfg.model.get('cls_head') or {}):
            if name in part:
                part[name] = num_frames
    _make_room_for_labels(cfg)
    for mode in ('train', 'val', 'test'):
        loader = cfg[f'{mode}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for dataset in _datasets(loader.dataset):
            _use_clips(dataset, clips, flow, frames, mode)
            is_stack = any(step.get('input_format') == 'NCHW' for step in dataset.pipeline)
            # The frames of a stack are the channels of the network.
            length = dataset.pipeline[0].clip_len if is_stack and dataset.get('modality') == 'Flow' else num_frames
            dataset.pipeline = [_shrink_step(step, length, size) for step in _with_resize(dataset.pipeline, size)]
    cfg.train_cfg = dict(type='ResumableEpochBasedTrainLoop', max_epochs=1, val_interval=1)


def _make_room_for_labels(cfg) -> None:
    """The clips have eight classes: a network and data of fewer get as many, both or neither."""
    datasets = [part for mode in ('train', 'val', 'test') for part in _datasets(cfg[f'{mode}_dataloader'].dataset)]
    parts = [part for part in (cfg.model.get('cls_head') or {}, *datasets) if part.get('num_classes') is not None]
    if {part['num_classes'] for part in parts} <= set(range(8)):
        for part in parts:
            part['num_classes'] = 8


def _datasets(dataset) -> Iterator:
    """The dataset, or those inside of its wrappers."""
    if 'ann_file' in dataset:
        yield dataset
    inner = dataset.get('datasets', dataset.get('dataset', []))
    for part in inner if isinstance(inner, list) else [inner]:
        yield from _datasets(part)


def _use_clips(dataset, clips: Path, flow: Path | None, frames: Path | None, mode: str) -> None:
    """Two clips of the folder, or their flow or frames, in place of the dataset's own."""
    is_rawframes = dataset.type == 'CheckedRawframeDataset'
    folder = (flow if dataset.get('modality') == 'Flow' else frames) if is_rawframes else clips
    dataset.ann_file = str(folder / ('train.txt' if mode == 'train' else 'val.txt'))
    dataset.data_prefix = dict(img=str(folder)) if is_rawframes else dict(video=str(folder))
    dataset.indices, dataset.serialize_data, dataset.with_offset = 2, False, False


def _with_resize(pipeline, size: int) -> list:
    """The pipeline, with a Resize if it takes the frames as they are, which are 32 pixels high, and needs more."""
    if size == 32 or any(step.type == 'Resize' for step in pipeline):
        return pipeline
    place = next(i for i, step in enumerate(pipeline) if step.type == 'FormatShape')
    return [*pipeline[:place], dict(type='Resize', scale=(size, size), keep_ratio=False), *pipeline[place:]]


def _shrink_step(step, num_frames: int, size: int):
    """A pipeline's step for small frames and few of them; crops keep their proportion to the frames."""
    step = step.copy()
    kind = step['type']
    if kind in ('SampleFrames', 'DenseSampleFrames', 'UniformSample'):
        if step['clip_len'] > 1:
            step.update(clip_len=num_frames, num_clips=min(step.get('num_clips', 1), 2))
        else:
            step.update(num_clips=num_frames)
    elif kind == 'Resize':
        step['scale'] = (-1, size + 8) if -1 in step['scale'] else (size, size)
    elif kind in ('CenterCrop', 'TenCrop'):
        step['crop_size'] = size
    elif kind == 'RandomCrop':
        step['size'] = size
    elif kind == 'ThreeCrop':
        step['crop_size'] = size + 8
    elif kind == 'MultiScaleCrop':
        step['input_size'] = size
    return step
