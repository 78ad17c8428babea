from importlib.util import find_spec

import pytest

from benchmarks.export import export_table, measure_export

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ('onnx', 'onnxscript', 'onnxruntime'))), reason='ONNX is not installed'
)


def test_a_loop_has_as_many_nodes_for_any_number_of_iterations_and_unrolled_ones_more():
    rows = measure_export((1, 3), repeats=1, shape=(1, 2, 3, 8, 8))
    nodes = {(row['way'], row['iterations']): row['nodes'] for row in rows}
    assert nodes['Loop', 1] == nodes['Loop', 3] and nodes['unrolled', 3] > nodes['unrolled', 1]
    assert all(row['difference'] <= 1e-4 for row in rows)
    assert all(row['seconds']['min'] > 0 and row['kernel_seconds']['min'] > 0 for row in rows)
    table = export_table(rows).splitlines()
    assert len(table) == 2 + 4 and '| Loop' in table[2]
