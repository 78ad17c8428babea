import pytest

from repflow_mm.datasets.list_makers.weizmann import ACTORS, CLASSES, SPLITS, make_weizmann_lists


def read(tmp_path, subset, split):
    return (tmp_path / 'out' / f'weizmann_{subset}_split_{split}_videos.txt').read_text().splitlines()


def test_each_fold_leaves_an_actor_out(tmp_path):
    report = make_weizmann_lists(tmp_path / 'out')
    everything = set()
    for split, actor in zip(SPLITS, ACTORS, strict=True):
        train, val = read(tmp_path, 'train', split), read(tmp_path, 'val', split)
        assert len(train) + len(val) == len({*train, *val}) == 93
        assert all(f'/{actor}_' in line for line in val) and not any(f'/{actor}_' in line for line in train)
        assert report['lists'][f'val_split_{split}_videos']['absent'] == []
        everything.update(val)
    assert len(everything) == 93
    assert report['actors'] == {str(split): actor for split, actor in zip(SPLITS, ACTORS)}
    assert read(tmp_path, 'val', 1)[-1] == 'wave2/daria_wave2.avi 9'
    assert [line for line in read(tmp_path, 'val', 6) if 'run' in line] == [
        'run/lena_run1.avi 4',
        'run/lena_run2.avi 4',
    ]
    assert tuple((tmp_path / 'out' / 'weizmann_classes.txt').read_text().splitlines()) == CLASSES


def test_videos_that_are_there(tmp_path):
    for name in ('daria_walk.avi', 'eli_jump.mp4', 'eli_pjump.mp4', 'lena_walk.avi'):
        (tmp_path / name).write_bytes(b'x')
    report = make_weizmann_lists(tmp_path / 'out', tmp_path, splits=[1])
    assert read(tmp_path, 'train', 1) == ['eli_jump.mp4 2', 'eli_pjump.mp4 3']
    assert read(tmp_path, 'val', 1) == ['daria_walk.avi 7']
    # A copy without the number of one of the two.
    assert report['extra'] == ['lena_walk.avi']
    assert 'walk/lena_walk1.avi' in report['lists']['train_split_1_videos']['missing']
    with pytest.raises(FileNotFoundError, match='none of the clips of val_split_2_videos; .* as bend/denis_bend.avi'):
        make_weizmann_lists(tmp_path / 'out', tmp_path, splits=[2])
    with pytest.raises(ValueError, match=r'splits must be from \(1, 2, 3, 4, 5, 6, 7, 8, 9\), got \(10,\)'):
        make_weizmann_lists(tmp_path / 'out', splits=[10])
