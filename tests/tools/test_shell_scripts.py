import subprocess

import pytest
from helpers import ROOT, run

SCRIPTS = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob('tools/**/*.sh'), ROOT / '.ci' / 'run'])


@pytest.mark.parametrize('script', SCRIPTS)
def test_scripts_parse_and_stop_at_errors(script):
    checked = subprocess.run(['bash', '-n', ROOT / script], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, '')
    text = (ROOT / script).read_text()
    assert text.startswith('#!/usr/bin/env bash\n')
    assert '\nset -euo pipefail\n' in text


@pytest.fixture
def call(tmp_path):
    """Call a script with programs in place of srun and python that print their arguments, one a line."""
    programs = tmp_path / 'bin'
    programs.mkdir()
    for name in ('srun', 'python'):
        (programs / name).write_text(f'#!/bin/bash\nprintf "%s\\n" {name} "$@"\n')
        (programs / name).chmod(0o755)

    def call(script, *arguments, **env):
        path = f'{programs}:/usr/bin:/bin'
        done = run('env', f'PATH={path}', 'bash', ROOT / 'tools' / script, *arguments, cwd=tmp_path, **env)
        return done.returncode, done.stdout.splitlines(), done.stderr

    return call


SLURM = ['--partition', 'gpu', '--job-name', 'a job', '--gres', 'gpu:{per_node}', '--ntasks', '{gpus}',
         '--ntasks-per-node', '{per_node}', '--cpus-per-task', '{cpus}', '--kill-on-bad-exit=1']  # fmt: skip


def slurm(gpus, per_node, cpus):
    return [part.format(gpus=gpus, per_node=per_node, cpus=cpus) for part in SLURM]


def test_slurm_train(call):
    program = ['python', '-u', f'{ROOT}/tools/train.py', 'my config.py']
    code, words, _ = call('slurm_train.sh', 'gpu', 'a job', 'my config.py', '--work-dir', 'a b')
    assert code == 0
    assert words == ['srun', *slurm(8, 8, 5), *program, '--work-dir', 'a b', '--launcher', 'slurm']
    setting = dict(GPUS='2', CPUS_PER_TASK='3', SRUN_ARGS='--time 10 --exclusive')
    _, words, _ = call('slurm_train.sh', 'gpu', 'a job', 'my config.py', **setting)
    assert words == ['srun', *slurm(2, 2, 3), '--time', '10', '--exclusive', *program, '--launcher', 'slurm']
    _, words, _ = call('slurm_train.sh', 'gpu', 'a job', 'my config.py', GPUS='16', GPUS_PER_NODE='4')
    assert words == ['srun', *slurm(16, 4, 5), *program, '--launcher', 'slurm']


def test_slurm_test(call):
    _, words, _ = call('slurm_test.sh', 'gpu', 'a job', 'c.py', 'e.pth', '--dump', 'a.pkl')
    program = [
        'python',
        '-u',
        f'{ROOT}/tools/test.py',
        'c.py',
        'e.pth',
        '--dump',
        'a.pkl',
        '--launcher',
        'slurm',
    ]
    assert words == ['srun', *slurm(8, 8, 5), *program]


def torchrun(processes, nodes='1', rank='0', address='127.0.0.1', port='29500'):
    return ['python', '-m', 'torch.distributed.run', '--nnodes', nodes, '--node-rank', rank, '--nproc-per-node',
            processes, '--master-addr', address, '--master-port', port]  # fmt: skip


def test_dist_scripts_on_several_nodes(call):
    program = [f'{ROOT}/tools/train.py', 'c.py', '--amp', '--launcher', 'pytorch']
    _, words, _ = call('dist_train.sh', 'c.py', '4', '--amp')
    assert words == [*torchrun('4'), *program]
    nodes = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='host')
    _, words, _ = call('dist_train.sh', 'c.py', '4', '--amp', MASTER_PORT='1234', **nodes)
    assert words == [*torchrun('4', '2', '1', 'host', '1234'), *program]
    _, words, _ = call('dist_test.sh', 'c.py', 'e.pth', '4', '--dump', 'a.pkl', PORT='1235', **nodes)
    program = [f'{ROOT}/tools/test.py', 'c.py', 'e.pth', '--dump', 'a.pkl', '--launcher', 'pytorch']
    assert words == [*torchrun('4', '2', '1', 'host', '1235'), *program]


@pytest.mark.parametrize(
    ('script', 'arguments'),
    [('dist_train.sh', 1), ('dist_test.sh', 2), ('slurm_train.sh', 2), ('slurm_test.sh', 3)],
)
def test_too_few_arguments_show_the_usage(call, script, arguments):
    code, words, error = call(script, *['x'] * arguments)
    assert (code, words) == (2, [])
    assert error.startswith('usage: ')
    assert error.count('\n') == 1
