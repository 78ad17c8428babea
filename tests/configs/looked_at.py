"""Configs and networks of tables, read once for the tests that look at them."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml
from helpers import ROOT
from mmengine.config import Config

from repflow_mm.sweeps.rows import load_tables, networks_of
from repflow_mm.sweeps.runs import Run


@functools.cache
def load_config(path: str | Path) -> Config:
    """A config of the checkout, read once: to be looked at, not changed."""
    return Config.fromfile(ROOT / path)


def table_runs(tables_file: Path) -> dict[str, Run]:
    """A run of every network of a file of tables, by the network's name."""
    names = yaml.safe_load(tables_file.read_text())['tables']
    networks = networks_of(load_tables(list(names), str(tables_file)))
    return {network.name: Run(network, seed=0, work_dir=Path('unused')) for network in networks}
