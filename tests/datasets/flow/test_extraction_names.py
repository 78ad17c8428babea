import os

import pytest

from repflow_mm.datasets.flow.extraction import name_flow_of_list
from repflow_mm.datasets.lists.list_files import ListEntry


def names_of(*paths, videos='videos', format='jpg', **options):
    """Names of those that have one, and why the lines of the others are refused."""
    entries = [ListEntry(i, path, 0) for i, path in enumerate(paths, start=1)]
    names, refused = name_flow_of_list('l.txt', videos, entries, format, **options)
    assert names.keys() | refused.keys() == {entry.number for entry in entries} and not names.keys() & refused.keys()
    return list(names.values()), refused


def test_names():
    assert names_of('a/b c.v2.avi', './d.mp4') == (['a/b_c.v2', 'd'], {})
    assert names_of(os.path.abspath('videos/a.mp4'), format='mp4') == (['a.mp4'], {})
    assert names_of('a.mp4', 'a/b.mp4', format='mp4') == (['a.mp4', 'a/b.mp4'], {})
    assert names_of('a.mp4', './a.mp4') == (['a', 'a'], {})
    assert names_of('flow.json.mp4', format='mp4') == (['flow.json.mp4'], {})
    with pytest.raises(ValueError, match=r"l.txt, line 2: '../a.mp4' lies outside of the folder videos"):
        names_of('b.mp4', '../a.mp4')


@pytest.mark.parametrize(
    ('paths', 'number', 'reason'),
    [
        (('a.mp4', 'b.mp4', 'a.avi'), 3, "its flow would be 'a', as that of line 1"),
        (('a b.mp4', 'a_b.mp4'), 2, "its flow would be 'a_b', as that of line 1"),
        (('a/b.mp4', 'a.mp4'), 1, "its flow would lie in that of line 2, 'a.mp4'"),
        (('a.mp4', '.'), 2, "'.' is the folder videos itself"),
        (('b/..', 'a.mp4'), 1, "'b/..' is the folder videos itself"),
        (('a.mp4', 'flow.json.mp4'), 2, "its flow would be 'flow.json', a name that the folder of flow needs itself"),
        (('flow.json/a.mp4',), 1, "its flow would be 'flow.json/a', a name that the folder of flow needs itself"),
        (('val.txt.mp4',), 1, "its flow would be 'val.txt', a name that the folder of flow needs itself"),
        (('.lock.mp4',), 1, "its flow would be '.lock', a name that the folder of flow needs itself"),
        (('.extracted.jsonl.avi',), 1, "its flow would be '.extracted.jsonl', a name that the folder of flow needs "),
        (('.unfinished/a.avi',), 1, "its flow would be '.unfinished/a', a name that the folder of flow needs itself"),
        (('a_report.json.avi',), 1, "its flow would be 'a_report.json', a name that the folder of flow needs itself"),
    ],
)
def test_refused_names(paths, number, reason):
    names, refused = names_of(*paths)
    assert list(refused) == [number] and refused[number].startswith(reason)
    assert len(names) == len(paths) - 1


def test_names_of_videos_outside_of_the_folder(tmp_path):
    videos = str(tmp_path / 'videos')
    paths = ('a.mp4', '../b c.mp4', '/data/d.mp4')
    with pytest.raises(
        ValueError, match=r"line 2: '../b c.mp4' lies outside of the folder .*videos; only allow_outside"
    ):
        names_of(*paths, videos=videos)
    names = names_of(*paths, videos=videos, allow_outside=True)[0]
    assert names == ['a', f'{str(tmp_path)[1:]}/b_c', 'data/d']
