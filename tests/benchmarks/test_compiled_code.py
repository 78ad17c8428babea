import importlib.util
import os

import pytest

from repflow_mm.benchmarks import compiled_code
from repflow_mm.benchmarks.compiled_code import code_table, intercepted_launches, measure_code

needs_triton = pytest.mark.skipif(importlib.util.find_spec('triton') is None, reason='triton is not installed')
USES = ['forward', 'recompute', 'adjoint']


@needs_triton
def test_kernels_stay_in_registers_and_short(monkeypatch):
    monkeypatch.setenv('TRITON_CACHE_DIR', 'kept')
    rows = measure_code((14, 28))
    assert [(row['size'], row['use']) for row in rows] == [(size, use) for size in (14, 28) for use in USES]
    assert {row['name'] for row in rows} == {'rep_flow_fwd_kernel', 'rep_flow_bwd_kernel'}
    assert all(row['spilled'] == 0 and row['registers'] <= 255 for row in rows)
    # The equations of an iteration have some 43 instructions a pixel; what is more is neighbours, borders and waits.
    assert all(43 <= row['instructions'] < 60 for row in rows if row['use'] == 'forward')
    assert all(row['instructions'] < 200 for row in rows if row['use'] == 'adjoint')
    assert os.environ['TRITON_CACHE_DIR'] == 'kept'
    again = measure_code((28,))
    assert all(row['seconds'] > 0.1 for row in rows + again)  # nothing comes from a cache


@needs_triton
def test_a_streamed_forward_pass_stays_in_registers():
    forward, recompute, adjoint = measure_code((70,))
    assert forward['spilled'] == recompute['spilled'] == 0
    assert forward['pixels'] == 16 and adjoint['pixels'] == 8


@needs_triton
def test_launches_are_intercepted_within_the_context_alone():
    from triton.runtime.jit import JITFunction

    before = JITFunction.run
    with pytest.raises(KeyError, match='inside'), intercepted_launches(lambda *launch: None):
        assert JITFunction.run is not before
        raise KeyError('inside')
    assert JITFunction.run is before


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
