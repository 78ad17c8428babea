"""Runs on the CPU what Triton compiles a kernel to for an NVIDIA GPU: its PTX.

Triton's interpreter runs a kernel's Python. This runs the compiled code, with its layouts, warp shuffles, shared memory
and approximate instructions. All threads of all programs go through an instruction together, so it cannot show a race.
An access outside of the tensors that the launch was given is an error, and an approximate instruction is off by up to
what the PTX ISA allows, as the bits of its operand have it.

The instructions are those that the kernels here are compiled to, by the PTX ISA 8.7, section 9.7.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import numpy as np
import torch

from repflow_mm.testing.triton_launches import WARP, intercepted_launches

TYPES = {f'{kind}{8 * size}': np.dtype(f'{letter}{size}') for kind, letter in ('si', 'uu', 'bu') for size in (2, 4, 8)}
TYPES.update(f32=np.dtype('f4'), pred=np.dtype('?'))
CALCULATIONS: dict[str, Callable[..., np.ndarray]] = {
    'mov': lambda a: a,
    'not': np.invert,
    'neg': np.negative,
    'add': np.add,
    'sub': np.subtract,
    'mul': np.multiply,
    'and': np.bitwise_and,
    'or': np.bitwise_or,
    'xor': np.bitwise_xor,
    'shl': lambda a, b: np.left_shift(a, b.astype(a.dtype)),
    'shr': lambda a, b: np.right_shift(a, b.astype(a.dtype)),
    'div': lambda a, b: _divide(a, b),
    'rem': np.fmod,
    'min': np.fmin,
    'max': np.fmax,
    'min.NaN': np.minimum,  # NaN if either is
    'max.NaN': np.maximum,
    'mad': lambda a, b, c: a * b + c,
    'selp': lambda a, b, c: np.where(c, a, b),
    'eq': np.equal,
    'ne': lambda a, b: (a < b) | (a > b),
    'lt': np.less,
    'le': np.less_equal,
    'gt': np.greater,
    'ge': np.greater_equal,
    'neu': np.not_equal,  # the ones in u are true for NaN
    'ltu': lambda a, b: ~(a >= b),
    'leu': lambda a, b: ~(a > b),
    'gtu': lambda a, b: ~(a <= b),
    'geu': lambda a, b: ~(a < b),
}
# Largest relative errors: of rcp 1 and of div.full 2 units in the last place, the others as powers of 2.
APPROXIMATIONS = {
    'rcp': (lambda a: 1 / a, 2**-23),
    'div': (np.divide, 2**-22),
    'sqrt': (np.sqrt, 2**-23),
    'rsqrt': (lambda a: 1 / np.sqrt(a), 2**-22.9),
}


class Program:
    """The instructions of the one kernel in a PTX text."""

    def __init__(self, ptx: str):
        body = re.sub(r'//.*', '', ptx)
        self.parameters = re.findall(r'(\w+)\s*[,)]', body[body.index('.entry') : body.index('.reqntid')])
        body = body[body.index('{', body.index('.entry')) + 1 : body.index('.section')]
        body = re.sub(r'^\s*\.loc.*$', '', body, flags=re.M)
        # {%r1, %r2}, a vector of registers or a register's two halves, becomes %r1|%r2.
        body = re.sub(r'\{\s*([%_]\w*(?:\s*,\s*[%_]\w*)*)\s*\}', lambda match: re.sub(r'\s*,\s*', '|', match[1]), body)
        self.instructions, self.labels = [], {}
        for statement in re.split(r';|(?<=:)\s', re.sub(r'[{}]', '', body)):
            self._add(statement.strip())

    def _add(self, statement: str) -> None:
        if statement.endswith(':'):
            self.labels[statement[:-1]] = len(self.instructions)
        elif statement and not statement.startswith('.reg'):
            predicate, opcode, operands = re.fullmatch(r'(?:@(\S+)\s+)?(\S+)\s*(.*)', statement, re.S).groups()
            operands = [operand.strip() for operand in operands.split(',')] if operands else []
            self.instructions.append((predicate, opcode.split('.'), operands))


class Machine:
    """State of all threads of all programs of a launch, and the meaning of the instructions.

    Args:
        program (Program): What they run.
        num_programs (int): How many programs there are.
        num_threads (int): Threads of each.
        shared_bytes (int): Shared memory of each.
        arguments (list): Tensors on the CPU and integers, one for each parameter.
    """

    def __init__(self, program: Program, num_programs: int, num_threads: int, shared_bytes: int, arguments: list):
        self.program = program
        self.shape = num_programs, num_threads
        self.shared = np.zeros((num_programs, shared_bytes), np.uint8)
        tensors = [argument for argument in arguments if isinstance(argument, torch.Tensor)]
        self.memory = [(tensor.data_ptr(), _bytes_of(tensor)) for tensor in tensors]
        values = [a.data_ptr() if isinstance(a, torch.Tensor) else a for a in arguments]
        self.registers = dict(zip(program.parameters, values, strict=True)) | {'global_smem': 0}
        self.registers['%tid.x'] = np.broadcast_to(np.arange(num_threads, dtype=np.uint32), self.shape)
        self.registers['%ctaid.x'] = np.broadcast_to(np.arange(num_programs, dtype=np.uint32)[:, None], self.shape)

    def run(self) -> None:
        """Run to the end."""
        at = 0
        with np.errstate(all='ignore'):
            while at < len(self.program.instructions):
                predicate, (name, *modifiers), operands = self.program.instructions[at]
                active = self._active(predicate)
                at += 1
                if name == 'ret':
                    return
                if name == 'bra':
                    if active.any() != active.all():
                        raise NotImplementedError('threads part ways at a branch')
                    at = self.program.labels[operands[0]] if active.all() else at
                elif name != 'bar':
                    self._execute(name, modifiers, operands, active)

    def _active(self, predicate: str | None) -> np.ndarray:
        if predicate is None:
            return np.ones(self.shape, bool)
        return ~self.registers[predicate[1:]] if predicate.startswith('!') else self.registers[predicate]

    def _execute(self, name: str, modifiers: list[str], operands: list[str], active: np.ndarray) -> None:
        dtype = TYPES[modifiers[-1]]
        target, *sources = operands
        if name in ('ld', 'st'):
            self._access(name, modifiers[0], *operands, dtype, active)
            return
        if '|' in target:
            halves = self._read(sources[0], dtype)[..., None].view(f'u{dtype.itemsize // 2}')
            for k, register in enumerate(target.split('|')):
                self._write(register, halves[..., k], active)
            return
        if name == 'shfl':
            result = self._shuffle(modifiers[1], *(self._read(source, TYPES['u32']) for source in sources[:2]))
        elif name == 'cvt':
            result = self._read(sources[0], dtype).astype(TYPES[modifiers[-2]])
        elif name == 'bfe':
            result = _extract_bits(*(self._read(source, dtype) for source in sources))
        else:
            result = self._calculate(name, modifiers, sources, dtype)
        self._write(target, result, active)

    def _calculate(self, name: str, modifiers: list[str], sources: list[str], dtype: np.dtype) -> np.ndarray:
        dtypes = [dtype] * len(sources)
        if name == 'selp':
            dtypes[2] = TYPES['pred']
        if name in ('shl', 'shr'):
            dtypes[1] = TYPES['u32']
        values = [self._read(source, kind) for source, kind in zip(sources, dtypes)]
        if dtype.kind == 'f' and ('approx' in modifiers or 'full' in modifiers):
            return _approximate(name, *values)
        if name == 'fma':
            a, b, c = (value.astype(np.float64) for value in values)
            return (a * b + c).astype(dtype)
        if 'wide' in modifiers:
            wide = np.dtype(f'{dtype.kind}{2 * dtype.itemsize}')
            values = [value.astype(wide) for value in values[:2]] + [self._read(s, wide) for s in sources[2:]]
        if 'NaN' in modifiers:
            name += '.NaN'
        return CALCULATIONS[modifiers[0] if name == 'setp' else name](*values)

    def _read(self, operand: str, dtype: np.dtype) -> np.ndarray:
        if '|' in operand:
            half = np.dtype(f'u{dtype.itemsize // 2}')
            halves = np.stack([self._read(register, half) for register in operand.split('|')], axis=-1)
            value = halves.view(f'u{dtype.itemsize}')[..., 0]
        elif operand.startswith('0f'):
            value = np.array(int(operand[2:], 16), np.uint32)
        elif re.fullmatch(r'-?\d+|0x[0-9a-f]+', operand):
            value = np.array(int(operand, 0) & (2 ** (8 * dtype.itemsize) - 1), f'u{dtype.itemsize}')
        elif operand in self.registers:
            value = np.asarray(self.registers[operand])
        elif re.fullmatch(r'%[a-z]+\d+', operand):  # never written: all bits set, which makes a NaN of it
            value = np.full(self.shape, -1).astype(f'u{dtype.itemsize}')
        else:
            raise NotImplementedError(f'operand {operand}')
        if value.dtype.itemsize != dtype.itemsize:
            value = value.astype(f'u{dtype.itemsize}')
        return np.ascontiguousarray(np.broadcast_to(value, self.shape)).view(dtype)

    def _write(self, register: str, value: np.ndarray, active: np.ndarray) -> None:
        value = value if value.dtype == bool else value.view(f'u{value.dtype.itemsize}')
        if not active.all():
            undefined = np.full(self.shape, -1).astype(value.dtype)
            value = np.where(active, value, self.registers.get(register, undefined))
        self.registers[register] = value

    def _access(self, name: str, space: str, first: str, second: str, dtype: np.dtype, active: np.ndarray) -> None:
        """Load from the address ``second`` to the registers ``first``, or store to ``first`` from ``second``."""
        registers, operand = (first, second) if name == 'ld' else (second, first)
        if space == 'param':
            value = np.full(self.shape, self.registers[operand.strip('[]')])
            self.registers[first] = value.astype(f'u{dtype.itemsize}')
            return
        registers, size = registers.split('|'), dtype.itemsize
        address = self._address(operand)
        if (address[active] % (size * len(registers))).any():
            raise ValueError(f'an access to {len(registers)} elements of {size} bytes is not aligned')
        for k, register in enumerate(registers):
            value = np.zeros(self.shape, dtype) if name == 'ld' else self._read(register, dtype)
            as_bytes = value[..., None].view(np.uint8)
            if active.any():
                memory, index = self._locate(space, address[active] + k * size, size, active)
                if name == 'ld':
                    as_bytes[active] = memory[index]
                else:
                    memory[index] = as_bytes[active]
            if name == 'ld':
                self._write(register, value, active)

    def _address(self, operand: str) -> np.ndarray:
        base, offset = re.fullmatch(r'\[\s*([%\w.]+)\s*(?:\+\s*(-?\d+))?\s*\]', operand).groups()
        return self._read(base, TYPES['s64']) + int(offset or 0)

    def _locate(self, space: str, address: np.ndarray, size: int, active: np.ndarray) -> tuple[np.ndarray, object]:
        """The memory that the active threads address, and the index of the bytes there."""
        reach = address[:, None] + np.arange(size)
        if space in ('shared', 'shared::cta'):  # one and the same where no cluster is launched
            program = np.broadcast_to(np.arange(self.shape[0])[:, None], self.shape)[active]
            return self.shared, (program[:, None], reach)
        for start, memory in self.memory:
            if start <= reach.min() and reach.max() < start + len(memory):
                return memory, reach - start
        raise IndexError(f'{space} memory is accessed outside of every tensor')

    def _shuffle(self, mode: str, value: np.ndarray, lane: np.ndarray) -> np.ndarray:
        own = np.arange(self.shape[1], dtype=np.uint32)
        source = own % WARP ^ lane if mode == 'bfly' else lane % WARP
        return np.take_along_axis(value, (own // WARP * WARP + source).astype(np.int64), 1)


def _bytes_of(tensor: torch.Tensor) -> np.ndarray:
    """The bytes from a tensor's first element to its last."""
    storage = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
    extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    start, stop = tensor.storage_offset(), tensor.storage_offset() + (extent if tensor.numel() else 0)
    return storage.numpy()[start * tensor.element_size() : stop * tensor.element_size()]


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The quotient, of integers rounded towards 0."""
    if a.dtype.kind == 'f':
        return a / b
    quotient = a // b
    return quotient + ((quotient < 0) & (quotient * b != a)).astype(a.dtype)


def _extract_bits(value: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    bits = 8 * value.dtype.itemsize
    return value << (bits - length - start).astype(value.dtype) >> (bits - length).astype(value.dtype)


def _approximate(name: str, *values: np.ndarray) -> np.ndarray:
    """The result with an error within what is allowed, one that depends on the last operand's bits."""
    function, largest = APPROXIMATIONS[name]
    exact = function(*(_flush(value).astype(np.float64) for value in values))
    mixed = values[-1].view(np.uint32) * np.uint32(2654435761) >> np.uint32(8)  # Knuth's multiplicative hash
    error = largest * (mixed.astype(np.float64) / 2**23 - 1)
    return _flush((exact * (1 + error)).astype(np.float32))


def _flush(value: np.ndarray) -> np.ndarray:
    """Subnormal numbers become 0, as ``ftz`` has it."""
    return np.where(np.abs(value) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), value), value)


def emulated_launches() -> contextlib.AbstractContextManager:
    """Within it, Triton compiles kernels for compute capability 9.0 and their launches run here, on CPU tensors."""
    return intercepted_launches(_emulate)


def _emulate(compiled, grid: tuple[int, ...], arguments: dict, seconds: float) -> None:
    values = [arguments[name] for name, kind in compiled.src.signature.items() if kind != 'constexpr']
    program, num_threads = Program(compiled.asm['ptx']), WARP * compiled.metadata.num_warps
    scratch = [0] * (len(program.parameters) - len(values))  # of memory that Triton would allocate
    Machine(program, grid[0], num_threads, compiled.metadata.shared, values + scratch).run()
