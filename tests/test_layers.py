"""Which part of the package may import which: every import statement counts, also those inside of functions."""

import ast
import re
import sys
from pathlib import Path

import pytest
from helpers import ROOT

PACKAGE = 'repflow_mm'
# From the bottom up: a part imports what stands above its line, and itself.
LAYERS = (
    ('ops',),
    ('version', 'files', 'flow_names', 'progress', 'processes', 'randomness', 'read_watch', 'resources'),
    ('hardware', 'markdown', 'timed_parts'),
    ('compat',),
    ('classical_flow', 'testing'),
    ('models', 'datasets', 'evaluation'),
    ('visualization', 'export', 'profiling'),
    ('engine',),
    ('registration',),
    ('apis', 'gpu_check', 'doctor'),
    ('sweeps', 'chaos', 'demo_app'),
    ('__main__',),
)
# What a part may use beside the standard library and the parts below; the others use what they like, but no script.
EXTERNAL = {
    'version': set(),
    'files': set(),
    'flow_names': set(),
    'hardware': {'torch'},
    'markdown': set(),
    'progress': {'tqdm'},
    'ops': {'torch', 'triton'},
    'evaluation': {'numpy', 'torch'},
    'randomness': {'numpy', 'torch'},
    'read_watch': set(),
    'resources': set(),
    'timed_parts': set(),
    'visualization': {'PIL', 'cv2', 'matplotlib', 'mmengine', 'numpy', 'torch'},
}
MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob('*.py'))


def imported(tree):
    """Full names of all modules that a syntax tree imports; of ``from a import b``, a.b as b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, 'relative import'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def part_of(path):
    """The package's part that a module belongs to: the folder or file below ``repflow_mm``."""
    return Path(path).parts[1].removesuffix('.py')


def wrong_imports(part, names):
    """Those of the names that a part may not import."""
    height = next(k for k, layer in enumerate(LAYERS) if part in layer)
    allowed = {part, *(name for layer in LAYERS[:height] for name in layer)}
    external = EXTERNAL.get(part)
    wrong = []
    for name in names:
        top, *rest = name.split('.')
        if top == PACKAGE:
            is_allowed = not rest or rest[0] in allowed or rest[0] == '__version__'
        else:
            known = external is None or top in external or top in sys.stdlib_module_names
            is_allowed = known and top not in ('tools', 'benchmarks', 'tests', 'helpers')
        if not is_allowed:
            wrong.append(name)
    return wrong


def test_every_part_has_a_layer():
    parts = {part_of(path) for path in MODULES} - {'__init__'}
    assert parts == {name for layer in LAYERS for name in layer}


def test_the_map_for_contributors_has_every_part_in_its_order():
    table = ROOT.joinpath('CONTRIBUTING.md').read_text().partition('in `repflow_mm/` |')[2].partition('\n\n')[0]
    parts = [name for row in table.split('\n|')[1:] for name in re.findall(r'`(\w+)(?:/|\.py)`', row.partition('|')[0])]
    heights = [next(k for k, layer in enumerate(LAYERS) if part in layer) for part in parts]
    assert heights == sorted(heights)
    assert sorted(parts) == sorted(name for layer in LAYERS for name in layer)


@pytest.mark.parametrize('path', [path for path in MODULES if part_of(path) != '__init__'], ids=str)
def test_nothing_imports_what_is_above_it(path):
    assert wrong_imports(part_of(path), imported(ast.parse((ROOT / path).read_text()))) == []


def test_triton_is_imported_by_its_own_folder_alone():
    for path in MODULES:
        names = imported(ast.parse((ROOT / path).read_text()))
        if part_of(path) == 'ops' and path.parts[2] != 'triton':
            assert not [name for name in names if name.split('.')[0] == 'triton'], path


@pytest.mark.parametrize(
    ('part', 'text', 'wrong'),
    [
        ('ops', 'def f():\n    import numpy as np', ['numpy']),
        ('ops', 'try:\n    from repflow_mm.models import A\nexcept ImportError: ...', ['repflow_mm.models.A']),
        ('ops', 'if True:\n    from repflow_mm import compat', ['repflow_mm.compat']),
        ('models', 'class A:\n    def f(self):\n        from repflow_mm import apis, ops', ['repflow_mm.apis']),
        ('models', 'from repflow_mm.datasets.flow.frames import FORMATS', ['repflow_mm.datasets.flow.frames.FORMATS']),
        ('apis', 'from benchmarks.solver import measure', ['benchmarks.solver.measure']),
        ('apis', 'import repflow_mm.models, mmengine', []),
    ],
)  # fmt: skip
def test_nested_and_lazy_imports_are_found(part, text, wrong):
    assert wrong_imports(part, imported(ast.parse(text))) == wrong


def test_folders_of_tests_hide_no_package():
    """pytest puts the folders of tests on the path, where one passes for a package that is not installed."""
    lists = [path.read_text() for path in (ROOT / 'requirements').glob('*.txt')]
    packages = {'triton', *re.findall(r'^([\w-]+)==', '\n'.join(lists), re.MULTILINE)}
    assert [path for path in (ROOT / 'tests').rglob('*') if path.is_dir() and path.name in packages] == []
