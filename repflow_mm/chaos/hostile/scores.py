"""Dumps of scores with code."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

from repflow_mm.apis import fuse
from repflow_mm.chaos.hostile.offer import Offer, Payload, Write, maker

NAMES = ('a.pkl', 'a.pickle', 'a.npz', 'a.json')


def score_offers() -> list[Offer]:
    """A pickle with code, under every suffix that ``fuse`` knows."""
    return [Offer('dumps of scores', f'{name}, fuse', fuse.main, maker(_writer(name), _arguments)) for name in NAMES]


def _writer(name: str) -> Write:
    def write(folder: Path, mark: Path) -> Path:
        (folder / name).write_bytes(pickle.dumps([dict(pred_score=Payload(mark), gt_label=0, filename='a')]))
        return folder / name

    return write


def _arguments(file: Path) -> list[str]:
    copy = file.with_name(f'b{file.suffix}')
    shutil.copy(file, copy)
    return [f'one={file}', f'other={copy}', '--out', 'fused.json']
