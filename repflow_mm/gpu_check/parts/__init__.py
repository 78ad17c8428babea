"""The parts of the check, most important first.

A part is a module with ``run(emit, context)``, which measures and hands each record (a dict for JSON) to ``emit`` as
soon as it has it, and ``tables(records)``, which lays the records out. A record with ``ok`` is the outcome of a check.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import NamedTuple


class Part(NamedTuple):
    """One part of the check.

    Args:
        name (str): What it is called in the report.
        title (str): Its heading.
        module (str): Its module, without ``run`` imported by the parent process too: it must be light.
        seconds (float): Its time limit where all parts together have ``TOTAL_SECONDS``.
        must_finish (bool): Whether being cut off means that the solver does not work. Defaults to False.
        needs (tuple[str, ...]): Modules without which it is left out. Defaults to none.
        interpreted (bool): Whether a rehearsal runs it in Triton's interpreter. Defaults to False.
        least (float): Seconds that are kept for it before the parts share what is left. Defaults to 0.
    """

    name: str
    title: str
    module: str
    seconds: float
    must_finish: bool = False
    needs: tuple[str, ...] = ()
    interpreted: bool = False
    least: float = 0.0

    def load(self) -> ModuleType:
        """The part's module."""
        return importlib.import_module(self.module)


_HERE = 'repflow_mm.gpu_check.parts'
_TRITON = ('triton',)
# MMAction2 with what its modules import, and what the demo's training needs beside them.
MMACTION = ('mmaction', 'mmengine', 'mmcv', 'addict', 'cv2', 'einops', 'importlib_metadata', 'numpy', 'PIL',
            'platformdirs', 'rich', 'termcolor', 'yaml', 'yapf')  # fmt: skip
VIDEOS = ('av', 'matplotlib', 'scipy', 'tqdm')

PARTS = (
    Part('device', 'Device', f'{_HERE}.device', 15),
    # Before the parity that matters more, so that this finds its kernels compiled, on all cores at a time.
    Part('compilation', 'Compile times', f'{_HERE}.compilation', 75, needs=_TRITON),
    Part('parity', 'Parity', f'{_HERE}.parity', 75, must_finish=True, needs=_TRITON, interpreted=True),
    Part('sanitizer', 'Memory and race checks', f'{_HERE}.sanitizer', 45, needs=_TRITON),
    Part('concurrency', 'Streams, graphs, threads, processes', f'{_HERE}.concurrency', 40, must_finish=True),
    Part('solver', 'Solver times', f'{_HERE}.solver', 60),
    Part('networks', 'Networks', f'{_HERE}.networks', 80, needs=MMACTION),
    Part('training', 'Training', f'{_HERE}.training', 50, needs=MMACTION + VIDEOS),
    # Compiles for tens of seconds, and nothing else depends on it.
    Part('torch_compile', 'torch.compile', f'{_HERE}.torch_compile', 40),
)
TOTAL_SECONDS = sum(part.seconds for part in PARTS)
