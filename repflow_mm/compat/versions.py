"""Which versions of MMAction2, MMEngine, MMCV and PyAV this package works with."""

from __future__ import annotations

import importlib.util
from importlib import metadata

# package: (distributions that provide it, lowest version, first version that is too new)
SUPPORTED_VERSIONS = {
    'mmaction': (('mmaction2', 'otxmmaction2'), '1.2.0', '1.3.0'),
    'mmengine': (('mmengine', 'mmengine-lite', 'onedl-mmengine'), '0.10.0', '0.11.0'),
    'mmcv': (('mmcv', 'mmcv-lite', 'onedl-mmcv'), '2.0.0', '2.2.0'),
}
# Lowest version of PyAV, and the first that is too new.
PYAV_VERSIONS = ('15', '20')
PYAV_INSTALL = f"pip install 'av>={PYAV_VERSIONS[0]},<{PYAV_VERSIONS[1]}'"


def version_problems() -> list[str]:
    """One line for each of MMAction2, MMEngine and MMCV that is missing or has a version that is not supported."""
    problems = []
    for package, (distributions, lowest, too_new) in SUPPORTED_VERSIONS.items():
        found = installed_versions(distributions)
        name = ' or '.join(distributions)
        allowed = f'allowed: >= {lowest}, < {too_new}'
        # Full mmcv has no wheels for the versions of torch that are supported.
        wanted = 'mmcv-lite' if 'mmcv-lite' in distributions else distributions[0]
        install = f"pip install '{wanted}>={lowest},<{too_new}'"
        if not found or importlib.util.find_spec(package) is None:
            problems.append(f'{name}: not installed ({allowed}); {install}')
        elif len(found) > 1:
            both = ' and '.join(f'{key} {value}' for key, value in found.items())
            problems.append(f'{both} are both installed and overwrite each other: uninstall both, then install one')
        elif not _release(lowest) <= _release(*found.values()) < _release(too_new):
            ((other, version),) = found.items()
            first = '' if other == wanted else f'pip uninstall {other}, then '
            problems.append(f'{name}: found {other} {version} ({allowed}); {first}{install}')
    return problems


def installed_versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Those of the distributions that are installed, with their versions."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, padded to three: '2.1.0rc4' -> (2, 1, 0)."""
    numbers = []
    for part in version.split('+')[0].split('.')[:3]:
        digits = part[: len(part) - len(part.lstrip('0123456789'))]
        numbers.append(int(digits or 0))
    return tuple(numbers + [0] * (3 - len(numbers)))


def check_versions() -> None:
    """Raise ImportError, saying what was found and what is allowed, if upstream's versions cannot work."""
    problems = version_problems()
    if problems:
        lines = '\n'.join(f'  - {problem}' for problem in problems)
        raise ImportError(f'repflow_mm cannot run with the installed versions:\n{lines}')


def check_pyav(version: str) -> None:
    """Raise ImportError, saying what is allowed, for a version of PyAV that this package has not been tried with."""
    lowest, too_new = map(_release, PYAV_VERSIONS)
    if not lowest <= _release(version) < too_new:
        raise ImportError(f'found av {version}, which is not supported: {PYAV_INSTALL}')
