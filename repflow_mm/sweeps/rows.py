"""What a sweep trains: the networks of configs and their overrides, and the rows of tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml


class Network(NamedTuple):
    """A config, with overrides of it if there are any: what one run trains.

    Args:
        name (str): Name of the network, and of the folder of its runs.
        config (Path): The config file.
        overrides (tuple[tuple[str, object], ...]): Dotted keys of the config and their values. Defaults to none.
        tables (Path, optional): The file of tables that names the network. Defaults to None, a config as it is.
    """

    name: str
    config: Path
    overrides: tuple[tuple[str, object], ...] = ()
    tables: Path | None = None

    def describe(self) -> str:
        """The config and its overrides, in a line."""
        return ', '.join((str(self.config), *(f'{key}={value}' for key, value in self.overrides)))


class Row(NamedTuple):
    """A row of a table.

    Args:
        name (str): Its name.
        networks (tuple[Network, ...]): One network, or several whose scores are averaged (late fusion).
        reference (str, optional): The row that it is compared with, if it has one of its own. Defaults to None.
    """

    name: str
    networks: tuple[Network, ...]
    reference: str | None = None


def load_tables(what: Sequence[str], tables_file: str) -> dict[str, list[Row]]:
    """The rows of the tables that are named, and of a table ``'configs'`` of the networks and config files that are.

    The YAML file has ``tables``, each a list of rows, which are a name and a network, or a name and a list of networks
    whose scores are averaged, and may have a third part, the row that it is compared with. A network is a config file
    in the folder of the YAML file, or one of its ``networks``, which has for config files names of networks and their
    overrides of the config.

    Args:
        what (Sequence[str]): Names of tables and of networks of the YAML file, and config files, ending in ``.py``.
        tables_file (str): The YAML file, which is read if a table or a network is named.

    Returns:
        dict[str, list[Row]]: Rows by the name of their table.

    Raises:
        FileNotFoundError: If the YAML file or a config does not exist.
        ValueError: If a name is no table and no network, or two networks have the same name.
    """
    named = [name for name in what if not name.endswith('.py')]
    tables, networks = _read_tables(Path(tables_file)) if named else ({}, {})
    chosen, single = {}, []
    for name in what:
        if name in tables:
            chosen[name] = tables[name]
        elif name.endswith('.py'):
            single.append(Network(Path(name).stem, Path(name)))
        elif name in networks:
            single.append(networks[name])
        else:
            raise ValueError(f'{tables_file} has no table {name!r}; {_what_there_is(tables, networks)}')
    if single:
        chosen['configs'] = [Row(network.name, (network,)) for network in single]
    for network in networks_of(chosen):
        if not network.config.is_file():
            raise FileNotFoundError(f'config {network.config} does not exist')
    return chosen


def load_references(tables: dict[str, list[Row]], tables_file: str) -> dict[str, dict[str, str]]:
    """The row that each row is compared with: its own reference, or else that of its table.

    A table's reference is from ``references`` of the YAML file.

    Args:
        tables (dict[str, list[Row]]): The tables.
        tables_file (str): The YAML file, which need not exist.

    Returns:
        dict[str, dict[str, str]]: For each table the references' names by the rows' names; rows without one are absent.

    Raises:
        ValueError: If a table has no such row.
    """
    of_tables = read_yaml(tables_file).get('references', {})
    references = {}
    for table, rows in tables.items():
        names = [row.name for row in rows]
        found = {row.name: row.reference or of_tables.get(table) for row in rows}
        references[table] = {row: name for row, name in found.items() if name not in (None, row)}
        for name in references[table].values():
            if name not in names:
                raise ValueError(
                    f'{tables_file}: the reference of table {table!r} must be one of {names}, got {name!r}'
                )
    return references


def networks_of(tables: dict[str, list[Row]]) -> list[Network]:
    """Every network of the tables, once."""
    return list(dict.fromkeys(network for rows in tables.values() for row in rows for network in row.networks))


def read_yaml(file: str | Path) -> dict:
    """The content of a file of tables; nothing without one."""
    return yaml.safe_load(Path(file).read_text()) or {} if Path(file).is_file() else {}


def _what_there_is(tables: dict, networks: dict) -> str:
    text = f'it has {", ".join(tables)}'
    return f'{text}, and the networks {", ".join(networks)}' if networks else text


def _read_tables(file: Path) -> tuple[dict[str, list[Row]], dict[str, Network]]:
    """Tables and networks of a YAML file."""
    if not file.is_file():
        raise FileNotFoundError(
            f'file of tables {file} does not exist here: name one with --tables, or start in a checkout of the project'
        )
    content = read_yaml(file)
    networks = _read_networks(file, content.get('networks', {}))
    tables = {
        table: [_read_row(file, row, networks) for row in rows] for table, rows in content.get('tables', {}).items()
    }
    return tables, networks


def _read_networks(file: Path, configs: dict[str, dict[str, dict]]) -> dict[str, Network]:
    networks = {}
    for config, named in configs.items():
        for name, overrides in named.items():
            if name in networks:
                raise ValueError(f'{file} has two networks {name!r}, of {networks[name].config.name} and of {config}')
            values = tuple((key, _frozen(value)) for key, value in overrides.items())
            networks[name] = Network(name, file.parent / config, values, file)
    return networks


def _frozen(value: object) -> object:
    """Lists as tuples, so that networks can be keys."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _read_row(file: Path, row: list, networks: dict[str, Network]) -> Row:
    if not isinstance(row, list) or len(row) not in (2, 3):
        raise ValueError(f'{file}: a row is a name, networks and, if it has one, a row of reference, got {row!r}')
    name, names, *reference = row
    return Row(name, _networks_of_row(file, name, names, networks), *reference)


def _networks_of_row(file: Path, row: str, names: str | list[str], networks: dict[str, Network]) -> tuple[Network, ...]:
    """The networks that a row names."""
    found = []
    for name in [names] if isinstance(names, str) else names:
        if name.endswith('.py'):
            found.append(Network(Path(name).stem, file.parent / name))
        elif name in networks:
            found.append(networks[name])
        else:
            raise ValueError(f'{file}: row {row!r} names no config and no network: {name!r}')
    return tuple(found)
