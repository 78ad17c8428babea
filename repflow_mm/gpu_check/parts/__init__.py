"""The parts of the check, most important first.

Beside ``run``, which :mod:`repflow_mm.timed_parts` wants, a part has ``tables(records)``, which lays its records out.
A record with ``ok`` is the outcome of a check.
"""

from __future__ import annotations

from repflow_mm.timed_parts.part import Part

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
