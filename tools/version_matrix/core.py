"""The core of the tests, and what became of it."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from version_matrix.environment import process_environment
from version_matrix.rows import ROOT

# The solver and its gradients, flow blocks in networks, each workaround of upstream, every way that predicts, and a
# training with its checkpoints.
CORE = (
    'tests/ops/test_reference.py',
    'tests/ops/test_rep_flow.py',
    'tests/models/layers/test_flow_block.py',
    'tests/compat',
    'tests/apis/test_same_scores.py',
    'tests/apis/test_weight_forms.py',
    'tests/end_to_end/test_training.py::test_training_writes_logs_and_checkpoints',
    'tests/end_to_end/test_training.py::test_test_dumps_scores',
)
MOST_SECONDS = 3600
_SUMMARY = re.compile(r'^=* ?((?:\d+ \w+,? ?)+) in [\d.]+s', re.MULTILINE)


def run_core(python: Path, log: Path) -> dict:
    """Import the package in an environment and run the core there.

    Returns:
        dict: ``outcome``, one of ``'refused'``, ``'passed'`` and ``'failed'``; ``summary``, in words; ``failures``,
        pytest's line for each.
    """
    command = [python, '-c', 'import repflow_mm.registration']
    done = subprocess.run(command, cwd=ROOT, env=process_environment(), capture_output=True, text=True)
    if done.returncode:
        return dict(outcome='refused', summary=refusal(done.stderr), failures=[])
    began = time.time()
    with log.open('w') as file:
        command = [python, '-m', 'pytest', '-q', '--tb=short', '-p', 'no:cacheprovider', *CORE]
        code = subprocess.run(
            command, cwd=ROOT, env=process_environment(), stdout=file, stderr=subprocess.STDOUT, timeout=MOST_SECONDS
        ).returncode
    return dict(read_log(log.read_text(errors='replace'), code), seconds=round(time.time() - began))


def refusal(text: str) -> str:
    """What an import that failed says: the package's own lines without their list marks, or the last line."""
    own = [line.removeprefix('  - ') for line in text.splitlines() if line.startswith('  - ')]
    return '; '.join(own) or (text.strip().splitlines() or ['no message'])[-1]


def read_log(text: str, code: int) -> dict:
    """What pytest's output says."""
    failures = re.findall(r'^(?:FAILED|ERROR) (.+)', text, re.MULTILINE)
    found = _SUMMARY.findall(text)
    lines = text.strip().splitlines() or ['no output']
    summary = found[-1].strip() if found else f'pytest ended with exit code {code}: {lines[-1]}'
    return dict(outcome='failed' if code else 'passed', summary=summary, failures=failures)
