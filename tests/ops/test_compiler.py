"""The marks for torch.compile against torch's own, which load the compiler."""

import torch

from repflow_mm.ops.compiler import constant_result, run_eagerly


def test_constant_result_marks_as_torch_does():
    def ours():
        return 1

    def torchs():
        return 1

    assert constant_result(ours) is ours
    torch.compiler.assume_constant_result(torchs)
    assert ours.__dict__ == torchs.__dict__ != {}


def test_constant_result_is_not_traced():
    calls = []

    @constant_result
    def size():
        calls.append(1)
        return 3

    compiled = torch.compile(lambda x: x * size(), fullgraph=True, backend='eager')
    assert compiled(torch.ones(2)).tolist() == compiled(torch.ones(2)).tolist() == [3, 3]
    assert len(calls) == 1  # traced, it would append whenever the compiled function runs


def test_run_eagerly_is_not_traced():
    traced = []

    @run_eagerly
    def double(x):
        traced.append(torch.compiler.is_compiling())
        return 2 * x

    compiled = torch.compile(lambda x: double(x + 1) + 1, backend='eager')
    assert compiled(torch.ones(2)).tolist() == [5, 5]
    assert double(torch.ones(2)).tolist() == [2, 2]
    assert traced == [False, False]
