"""``python -m repflow_mm doctor``: what is installed, what is worked around, which backends and decoders can run."""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from collections.abc import Sequence

import torch

from repflow_mm import compat
from repflow_mm.ops.backends import BACKENDS
from repflow_mm.resources import PACKAGE
from repflow_mm.version import __version__

DISTRIBUTIONS = (
    'torch', 'mmaction2', 'mmengine', 'mmcv', 'mmcv-lite', 'av', 'torchcodec', 'decord', 'decord2', 'numpy', 'triton',
    'opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless',
)  # fmt: skip
OPENCV_ADVICE = (
    'If cv2.optflow is missing: pip uninstall -y opencv-python opencv-contrib-python; '
    'pip install opencv-contrib-python-headless'
)
MODULES = {
    'importlib_metadata': 'mmaction2 imports it: pip install importlib_metadata',
    'av': "videos are read with it: pip install 'av>=15,<20'",
    'cv2': 'pip install opencv-contrib-python-headless',
}


def report() -> tuple[list[str], list[str]]:
    """Examine this installation.

    Returns:
        tuple[list[str], list[str]]: The report's lines, and one line of advice for each thing that cannot work.
    """
    advice = compat.version_problems()
    lines = [f'repflow_mm {__version__} in {PACKAGE}', f'Python {platform.python_version()}, {platform.platform()}']
    lines += ['', 'Installed']
    lines += [f'  {name:<32}{version}' for name, version in compat.installed_versions(DISTRIBUTIONS).items()]
    advice += _missing_modules()
    lines += ['', 'Worked around']
    lines += _workarounds() if not advice else ['  not looked at: see below']
    lines += ['', 'Flow backends', *_backends()]
    lines += ['', 'Video decoders', *(_decoders() if not advice else ['  not looked at: see below'])]
    return lines + _notes(), advice


def _notes() -> list[str]:
    """A note on OpenCV packages that overwrite each other's files, which may work or not."""
    opencv = compat.installed_versions(tuple(name for name in DISTRIBUTIONS if name.startswith('opencv')))
    if len(opencv) < 2:
        return []
    return ['', f'Note: {" and ".join(opencv)} overwrite each other (opencv-python#388). {OPENCV_ADVICE}']


def _missing_modules() -> list[str]:
    """Advice for each module that cannot be imported."""
    problems = {name: _import_problem(name) for name in MODULES}
    return [f'{name} cannot be imported ({problem}): {MODULES[name]}' for name, problem in problems.items() if problem]


def _import_problem(name: str) -> str | None:
    """What goes wrong when a module is imported; None if nothing does."""
    try:
        importlib.import_module(name)
    except Exception as error:  # a broken installation raises whatever its first broken line does
        return str(error) or type(error).__name__
    return None


def _workarounds() -> list[str]:
    return [f'  {"yes" if used else "not needed":<12}{name}' for name, used in compat.apply_workarounds().items()]


def _backends() -> list[str]:
    """For each backend and device what speaks against it, or that it runs."""
    lines = []
    for device in ['cpu'] + (['cuda'] if torch.cuda.is_available() else []):
        x = torch.zeros(1, 1, 2, 4, 4, device=device)
        for name, backend in BACKENDS.items():
            reasons = backend.unsupported_reasons(x)
            lines.append(f'  {device:<6}{name:<12}{"; ".join(reasons) if reasons else "runs"}')
    return lines


def _decoders() -> list[str]:
    """For each decoder of videos what speaks against it, or that it can be used, and which one is."""
    problem = _import_problem('repflow_mm.datasets.video_reading')
    if problem:
        return [f'  not looked at: {problem}']
    from repflow_mm.datasets.video_reading import DECODER_VARIABLE, DECODERS, chosen_decoder, unusable_reason

    try:
        chosen = chosen_decoder()
    except ValueError as error:
        return [f'  {error}']
    lines = []
    for name in DECODERS:
        used = f' (used; {DECODER_VARIABLE} or decoder= names another one)' if name == chosen else ''
        lines.append(f'  {name:<12}{unusable_reason(name) or "can be used"}{used}')
    return lines


def _registration_advice() -> list[str]:
    """Register the package for good; advice if that fails."""
    problem = _import_problem('repflow_mm.registration')
    return [f'registration in MMAction2 fails: {problem}'] if problem else []


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; returns the exit status, 1 if something cannot work."""
    argparse.ArgumentParser(description='Say what is installed, what is worked around and what can run.').parse_args(
        argv
    )
    lines, advice = report()
    advice = advice or _registration_advice()
    verdict = ['', 'Cannot work', *(f'  - {line}' for line in advice)] if advice else ['', 'Everything can work.']
    sys.stdout.write('\n'.join(lines + verdict) + '\n')
    return 1 if advice else 0


if __name__ == '__main__':
    sys.exit(main())
