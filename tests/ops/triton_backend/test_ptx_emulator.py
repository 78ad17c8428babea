import numpy as np
import pytest
import torch
from ptx_emulator import Machine, Program

TEMPLATE = """
.version 8.7
.visible .entry kernel(
    .param .u64 .ptr .global .align 1 kernel_param_0,
    .param .u64 .ptr .global .align 1 kernel_param_1,
    .param .u32 kernel_param_2
)
.reqntid 64
{
    .reg .b32 %r<9>;
    .loc 1 1 0
    ld.param.b64 %rd1, [kernel_param_0];
    ld.param.b64 %rd2, [kernel_param_1];
    ld.param.b32 %r9, [kernel_param_2];
    mov.u32 %r1, %tid.x;  // the thread
    mov.u32 %r2, %ctaid.x;
    shl.b32 %r3, %r2, 6;
    add.s32 %r3, %r3, %r1;
    mul.wide.s32 %rd3, %r3, 4;
    add.s64 %rd4, %rd1, %rd3;
    add.s64 %rd5, %rd2, %rd3;
    ld.global.b32 %r4, [%rd4];
    BODY
    st.global.b32 [%rd5 + 0], { %r5 };
    ret;
}
.section .debug
"""
THREAD = torch.arange(64, dtype=torch.int32).repeat(2)


def run(body, x, number=0, shared_bytes=0):
    """What two programs of 64 threads each leave, from the 128 elements of x."""
    result = torch.full_like(x, -1)
    Machine(Program(TEMPLATE.replace('BODY', body)), 2, 64, shared_bytes, [x, result, number]).run()
    return result


def test_arithmetic_of_integers():
    x = torch.arange(-64, 64, dtype=torch.int32)
    expected = torch.div(x, 7, rounding_mode='trunc') * 3 - (x >> 1) + 5
    body = 'div.s32 %r6, %r4, 7; shr.s32 %r7, %r4, 1; mad.lo.s32 %r5, %r6, 3, %r9; sub.s32 %r5, %r5, %r7;'
    assert torch.equal(run(body, x, number=5), expected)


def test_arithmetic_of_floats_and_bits():
    x = torch.linspace(-3, 3, 128)
    body = 'fma.rn.f32 %r6, %r4, 0f40000000, 0f3F800000; setp.lt.f32 %p1, %r6, 0f00000000; selp.f32 %r5, %r4, %r6, %p1;'
    fused = (2 * x.double() + 1).float()
    assert torch.equal(run(body, x), torch.where(fused < 0, x, fused))
    field = run('bfe.s32 %r5, %r4, 5, 1;', THREAD)
    assert torch.equal(field, -(THREAD >> 5 & 1))


def test_minimum_and_maximum_of_nan():
    x = torch.tensor([torch.nan, -2.0, 2.0, 0.0]).repeat(32)
    assert torch.equal(run('min.f32 %r5, %r4, 0f3F800000;', x), x.nan_to_num(1).clamp(max=1))
    torch.testing.assert_close(
        run('max.NaN.f32 %r5, %r4, 0f3F800000;', x), x.clamp(min=1), equal_nan=True, rtol=0, atol=0
    )


def test_predicated_instructions_touch_active_threads_alone():
    body = 'mov.b32 %r5, 7; setp.gt.s32 %p1, %r1, 9; @%p1 mov.b32 %r5, 8; @!%p1 add.s32 %r5, %r5, %r9;'
    assert torch.equal(run(body, THREAD, number=-3), torch.where(THREAD > 9, 8, 4).int())


def test_a_scope_of_inline_assembly():
    body = '{ .reg .pred inside; setp.ne.b32 inside, %r9, 0; mov.b32 %r5, 0; @inside ld.global.b32 %r5, [%rd4]; }'
    assert torch.equal(run(body, THREAD, number=1), THREAD)
    assert not run(body, THREAD, number=0).any()


def test_loop():
    body = 'mov.b32 %r5, 0; mov.b32 %r6, 0;\n$L1:\n add.s32 %r5, %r5, %r4; add.s32 %r6, %r6, 1;'
    body += 'setp.lt.s32 %p1, %r6, %r9; @%p1 bra $L1;'
    assert torch.equal(run(body, THREAD, number=4), 4 * THREAD)


def test_shuffles_stay_in_their_warp():
    assert torch.equal(run('shfl.sync.bfly.b32 %r5, %r4, 16, 31, -1;', THREAD), THREAD ^ 16)
    assert torch.equal(run('mov.b32 %r6, 3; shfl.sync.idx.b32 %r5, %r4, %r6, 31, -1;', THREAD), THREAD // 32 * 32 + 3)


@pytest.mark.parametrize('space', ['shared', 'shared::cta'])
def test_shared_memory_belongs_to_a_program(space):
    body = f'mov.b32 %r6, global_smem; shl.b32 %r7, %r1, 2; add.s32 %r6, %r6, %r7; st.{space}.b32 [%r6], %r4;'
    body += f'bar.sync 0; sub.s32 %r6, 252, %r7; ld.{space}.b32 %r5, [%r6];'
    x = torch.arange(128, dtype=torch.int32)
    assert torch.equal(run(body, x, shared_bytes=256), x.view(2, 64).flip(1).flatten())


@pytest.mark.parametrize(
    'name, exact, bound',
    [
        ('rcp.approx.ftz', lambda x: 1 / x, 2**-23),
        ('sqrt.approx.ftz', torch.sqrt, 2**-23),
        ('rsqrt.approx.ftz', torch.rsqrt, 2**-22.9),
    ],
)
def test_approximations_are_off_but_within_their_bounds(name, exact, bound):
    x = torch.linspace(0.1, 9, 128)
    expected = exact(x.double())
    error = (run(f'{name}.f32 %r5, %r4;', x) / expected - 1).abs().max()
    rounding = np.finfo(np.float32).eps / 2
    assert rounding < error <= bound + rounding
    assert run('rcp.approx.ftz.f32 %r5, %r4;', torch.full((128,), 2.0**-127)).isinf().all()  # a subnormal number is 0


def test_conversions_and_halves_of_a_register():
    body = 'cvt.rn.f32.s32 %r6, %r4; cvt.rzi.s32.f32 %r7, %r6; mov.b32 {%rs2, %rs3}, %r7;'
    assert torch.equal(run(body + 'cvt.s32.s16 %r5, %rs2;', THREAD - 9), THREAD - 9)


def test_high_half_of_an_address():
    body = 'mov.b64 %rd6, {%r4, %r9}; mov.b64 {_, %r5}, %rd6; add.s32 %r5, %r5, %r4;'
    assert torch.equal(run(body, THREAD, number=6), THREAD + 6)


def test_registers_that_nothing_was_written_to():
    assert run('add.f32 %r5, %r4, %r8;', torch.ones(128)).isnan().all()
    with pytest.raises(NotImplementedError, match='operand %laneid'):
        run('mov.u32 %r5, %laneid;', THREAD)


def test_vectors():
    body = 'and.b32 %r6, %r3, -2; mul.wide.s32 %rd6, %r6, 4; add.s64 %rd6, %rd6, %rd1;'
    body += 'ld.global.v2.b32 { %r7, %r8 }, [ %rd6 + 0 ]; sub.s32 %r5, %r8, %r7;'
    assert torch.equal(run(body, THREAD**2), 2 * (THREAD // 2 * 2) + 1)
    with pytest.raises(ValueError, match='2 elements of 4 bytes is not aligned'):
        run('ld.global.v2.b32 {%r5, %r6}, [%rd4];', THREAD)


def test_access_outside_of_the_tensors():
    with pytest.raises(IndexError, match='global memory is accessed outside of every tensor'):
        run('ld.global.b32 %r5, [%rd4 + 4];', THREAD)
    part = torch.zeros(200, dtype=torch.int32)[:128]
    with pytest.raises(IndexError, match='global memory is accessed outside of every tensor'):
        run('ld.global.b32 %r5, [%rd4 + 4];', part)


def test_threads_must_branch_together():
    body = 'setp.lt.s32 %p1, %r1, 5; mov.b32 %r5, 0; @%p1 bra $L1; mov.b32 %r5, 1;\n$L1:\n'
    with pytest.raises(NotImplementedError, match='threads part ways at a branch'):
        run(body, THREAD)
