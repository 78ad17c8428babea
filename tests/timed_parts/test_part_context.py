from repflow_mm.timed_parts.context import Context, emit_outcome, emit_to, read_records


def test_a_record_that_is_being_written_is_not_read_yet(tmp_path):
    path = tmp_path / 'records.jsonl'
    assert read_records(path) == []
    emit_to(path)(table='t', value=1)
    with open(path, 'a') as file:
        file.write('{"table": "t", "val')
    assert read_records(path) == [dict(table='t', value=1)]


def test_an_error_is_a_failed_check_and_want_of_memory_is_none():
    class OutOfMemoryError(RuntimeError):
        pass

    def fail(error):
        raise error

    records = []
    for error in (ValueError('bad\nmore'), OutOfMemoryError('2 GB')):
        emit_outcome(lambda **record: records.append(record), lambda error=error: fail(error), name='x')
    assert records == [
        dict(name='x', why='ValueError: bad', ok=False),
        dict(name='x', why='OutOfMemoryError: 2 GB'),
    ]


def test_a_context_says_where_tensors_lie_and_what_time_is_left(tmp_path):
    rehearsal, real = Context(tmp_path, 100.0, True), Context(tmp_path, 100.0)
    assert (rehearsal.device, rehearsal.backend, real.device, real.backend) == ('cpu', 'cpu', 'cuda', 'triton')
    assert 0 < real.seconds_left() <= 100
