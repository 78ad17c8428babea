import importlib.util
import os

import pytest

from benchmarks import compiled_code
from benchmarks.compiled_code import code_table, measure_code

needs_triton = pytest.mark.skipif(importlib.util.find_spec('triton') is None, reason='triton is not installed')
USES = ['forward', 'recompute', 'adjoint']


@needs_triton
def test_every_kernel_is_compiled_anew_and_examined(monkeypatch):
    monkeypatch.setenv('TRITON_CACHE_DIR', 'kept')
    rows = measure_code((14,))
    assert [(row['size'], row['use']) for row in rows] == [(14, use) for use in USES]
    assert {row['name'] for row in rows} == {'rep_flow_fwd_kernel', 'rep_flow_bwd_kernel'}
    assert all(row[key] > 0 for row in rows for key in ('pixels', 'threads', 'registers', 'instructions'))
    assert os.environ['TRITON_CACHE_DIR'] == 'kept'


def test_interpreted_kernels_are_refused(monkeypatch):
    monkeypatch.setenv('TRITON_INTERPRET', '1')
    with pytest.raises(RuntimeError, match='TRITON_INTERPRET is set: nothing would be compiled'):
        measure_code()


def test_longest_loop_is_counted_from_its_target_to_its_jump():
    instructions = ('MOV R1, c[0x0][0x28]', 'FADD R2, R2, R1', '@P0 BRA 0x20', 'FMUL R2, R2, R2', '@!P1 BRA 0x10')
    lines = [f'        /*{16 * k:04x}*/                   {text} ;   /* 0x0 */' for k, text in enumerate(instructions)]
    assert compiled_code._longest_loop('\n'.join(lines)) == 4


def test_table_has_a_row_for_each_kernel():
    sizes = dict(pixels=7, threads=128, registers=127, spilled=8, instructions=50.4, seconds=1.25)
    table = code_table([dict(name='rep_flow_fwd_kernel', size=28, use='forward', **sizes)])
    assert table.splitlines()[2] == '| 28×28 | forward | 7 | 128 | 127 | 8 | 50 | 1.2 |'
