"""Compile the Triton kernels for compute capability 9.0, which needs no device; writes the name of each."""

import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from repflow_mm.ops.triton_backward import rep_flow_bwd_kernel
from repflow_mm.ops.triton_frames import frame_bwd_kernel
from repflow_mm.ops.triton_kernels import STORE_EVERY, STORE_LAST, STORE_NONE, Tile, rep_flow_fwd_kernel

SMALL = Tile(rows=1, phases=2, strips=2, lanes=8)
STREAMED = Tile(rows=2, phases=1, strips=2, lanes=32, halo=3)


def compile_kernel(kernel, tile=None, **constants):
    if tile is not None:
        constants.update(tile.constants())
    signature = {name: '*fp32' if name.endswith('_ptr') else 'i32' for name in kernel.arg_names}
    signature.update(dict.fromkeys(constants, 'constexpr'))
    options = dict(num_warps=tile.strips if tile else 4)
    compiled = triton.compile(
        ASTSource(kernel, signature=signature, constexprs=constants), target=GPUTarget('cuda', 90, 32), options=options
    )
    assert compiled.asm['cubin']
    sys.stdout.write(compiled.metadata.name + '\n')


compile_kernel(rep_flow_fwd_kernel, SMALL, state_in_ptr=None, state_out_ptr=None, LOAD_STATE=False, STORE=STORE_NONE)
compile_kernel(rep_flow_fwd_kernel, STREAMED, u_ptr=None, LOAD_STATE=True, STORE=STORE_LAST)
compile_kernel(rep_flow_fwd_kernel, SMALL, state_in_ptr=None, u_ptr=None, LOAD_STATE=False, STORE=STORE_EVERY)
compile_kernel(rep_flow_bwd_kernel, SMALL, adjoint_in_ptr=None, adjoint_out_ptr=None, FIRST=True, STORE_ADJOINT=False)
compile_kernel(rep_flow_bwd_kernel, STREAMED, FIRST=False, STORE_ADJOINT=True)
compile_kernel(frame_bwd_kernel, BLOCK=256)
