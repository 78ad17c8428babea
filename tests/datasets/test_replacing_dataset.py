import shutil

import pytest
import torch
from mmaction.datasets.transforms import PackActionInputs
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from repflow_mm.datasets import BadDataError, CheckedRawframeDataset, CheckedVideoDataset, MissingDataError

SIZE = 12


class Read:
    """A transform that takes some names for broken files; of the others the number is the input."""

    def __init__(self, bad):
        self.bad = bad

    def __call__(self, results):
        name = results.get('filename', results.get('frame_dir'))
        number = int(name.rpartition('/')[2].removesuffix('.mp4'))
        if number in self.bad:
            raise self.bad[number]
        return dict(results, imgs=torch.full((1,), number), img_shape=(4, 4))


class Fresh(dict):
    """A broken file's error for each number, made anew as every read makes it."""

    def __getitem__(self, number):
        return BadDataError(f'video {number}.mp4 is empty', f'videos/{number}.mp4', 'empty')


def bad(*numbers):
    return Fresh.fromkeys(numbers)


@pytest.fixture
def dataset(tmp_path):
    def dataset(errors, kind=CheckedVideoDataset, several=False, **options):
        names = [f'{number}.mp4' if kind is CheckedVideoDataset else f'{number} 9' for number in range(SIZE)]
        labels = [f'{number % 3} {(number + 1) % 3}' if several else f'{number % 3}' for number in range(SIZE)]
        (tmp_path / 'list.txt').write_text(''.join(f'{name} {label}\n' for name, label in zip(names, labels)))
        pack = PackActionInputs(meta_keys=('filename', 'frame_dir', 'img_shape'))
        prefix = dict(video='videos', img='videos')
        options = dict(data_prefix=prefix, num_classes=3, multi_class=several) | options
        return kind(ann_file=str(tmp_path / 'list.txt'), pipeline=[Read(errors), pack], **options)

    return dataset


def number(data):
    return data['inputs'].item()


def marks(data):
    return data['data_samples'].metainfo.get('bad_data')


@pytest.mark.parametrize('kind', [CheckedVideoDataset, CheckedRawframeDataset])
def test_by_itself_it_raises_with_list_and_line(dataset, kind):
    samples = dataset({3: MissingDataError('video 3.mp4 does not exist')}, kind)
    with pytest.raises(FileNotFoundError, match=r'list\.txt, line 4: video 3\.mp4 does not exist') as caught:
        samples[3]
    assert caught.value.path == f'videos/3{".mp4" if kind is CheckedVideoDataset else ""}'
    assert number(samples[4]) == 4 and marks(samples[4]) is None


def test_another_sample_takes_its_place_and_says_so(dataset):
    samples = dataset(bad(3))
    samples.tolerate_bad_data(seed=1, epoch=2)
    data = samples[3]
    assert number(data) != 3 and data['data_samples'].gt_label.item() == number(data) % 3
    (record,) = marks(data)
    assert record['reason'] == f'{samples.ann_file}, line 4: video 3.mp4 is empty'
    assert (record['path'], record['status']) == ('videos/3.mp4', 'empty')
    assert marks(samples[4]) is None
    samples.raise_bad_data()
    with pytest.raises(BadDataError, match='line 4'):
        samples[3]


def test_replacements_follow_seed_epoch_and_index_alone(dataset):
    def replaced(samples, seed=7, epoch=1, order=range(4)):
        samples.tolerate_bad_data(seed, epoch)
        return {i: number(samples[i]) for i in order}

    first = dataset(bad(0, 1, 2, 3))
    found = replaced(first)
    assert found == replaced(dataset(bad(0, 1, 2, 3)), order=(3, 1, 2, 0)), 'another order'
    assert len(set(found.values())) > 1
    for other in set(range(4, SIZE)) - set(found.values()):
        assert found == replaced(dataset(bad(0, 1, 2, 3, other))), 'whatever else is broken'
    assert len({tuple(replaced(first, seed, epoch).values()) for seed in range(2) for epoch in range(3)}) > 3


@pytest.mark.parametrize('context', ['fork', 'spawn'])
def test_workers_replace_alike_and_persistent_ones_see_the_epoch(dataset, context):
    samples = dataset(bad(*range(4)))
    loader = DataLoader(
        samples, 3, num_workers=2, collate_fn=pseudo_collate, multiprocessing_context=context, persistent_workers=True
    )
    for epoch in (0, 1):
        samples.tolerate_bad_data(7, epoch)
        drawn = [value.item() for batch in loader for value in batch['inputs']]
        assert drawn == [number(samples[i]) for i in range(SIZE)]


def test_it_tries_until_one_is_whole(dataset):
    samples = dataset(bad(*set(range(SIZE)) - {5}))
    samples.tolerate_bad_data()
    assert [number(samples[i]) for i in range(SIZE)] == [5] * SIZE
    records = marks(samples[3])
    assert records[0]['path'] == 'videos/3.mp4' and len({record['path'] for record in records}) == len(records)


def test_nothing_is_whole(dataset):
    samples = dataset(bad(*range(SIZE)))
    samples.tolerate_bad_data()
    with pytest.raises(
        BadDataError, match=r'line 4: video 3\.mp4 is empty; 11 samples tried in its place are broken t'
    ):
        samples[3]


@pytest.mark.parametrize('error', [TypeError('a bug'), ValueError('a bug'), OSError(24, 'too many open files')])
@pytest.mark.parametrize('test_mode', [False, True])
def test_an_error_of_the_program_is_raised(dataset, error, test_mode):
    samples = dataset({3: error}, test_mode=test_mode)
    samples.tolerate_bad_data()
    with pytest.raises(type(error)) as caught:
        samples[3]
    assert caught.value is error


@pytest.mark.parametrize('several', [False, True])
@pytest.mark.parametrize('kind', [CheckedVideoDataset, CheckedRawframeDataset])
def test_a_stand_in_has_the_samples_own_label_and_name(dataset, kind, several):
    samples = dataset(bad(4), kind, several, test_mode=True)
    samples.tolerate_bad_data()
    data = samples[4]
    key, name = ('filename', '4.mp4') if kind is CheckedVideoDataset else ('frame_dir', '4')
    assert data['data_samples'].metainfo[key] == f'videos/{name}'
    label = data['data_samples'].gt_label
    assert label.tolist() == ([0.0, 1.0, 1.0] if several else [1])
    assert number(data) != 4 and len(marks(data)) == 1


def test_a_pipeline_that_gives_nothing_has_found_broken_data(dataset):
    samples = dataset({})
    samples.pipeline.transforms.insert(0, lambda results: None if results['filename'].endswith('/3.mp4') else results)
    with pytest.raises(BadDataError, match=r'line 4: videos/3\.mp4: the pipeline gives nothing'):
        samples[3]
    samples.tolerate_bad_data()
    assert number(samples[3]) != 3


def test_what_cannot_be_marked_is_raised(dataset):
    samples = dataset(bad(3))
    samples.pipeline.transforms.append(lambda packed: packed['inputs'])
    samples.tolerate_bad_data()
    with pytest.raises(BadDataError, match='line 4'):
        samples[3]


@pytest.mark.parametrize('layout', ['NCHW', 'NCTHW'], ids=['stacks', 'clips'])
def test_flow_on_disk(motion_flow, tmp_path, layout):
    """Of eight lines a missing image, a damaged one, no folder, and one flow too many; 11 flows each."""
    folder = shutil.copytree(motion_flow, tmp_path / 'flow')
    lines = [line.rsplit(' ', 2) for line in (folder / 'val.txt').read_text().splitlines()]
    names = [line[0] for line in lines]
    (folder / names[1] / 'y_00001.jpg').unlink()
    (folder / names[2] / 'x_00011.jpg').write_bytes(b'')
    shutil.rmtree(folder / names[3])
    lines[4][1] = '12'
    (folder / 'val.txt').write_text(''.join(f'{" ".join(line)}\n' for line in lines))
    pipeline = [
        dict(type='mmaction.SampleFrames', clip_len=11, frame_interval=1, num_clips=1, test_mode=True),
        dict(type='mmaction.CheckedRawFrameDecode'),
        dict(type='mmaction.FormatShape', input_format=layout),
        dict(type='mmaction.PackActionInputs'),
    ]
    samples = CheckedRawframeDataset(
        str(folder / 'val.txt'), pipeline, dict(img=str(folder)), '{}_{:05d}.jpg', modality='Flow', num_classes=8
    )
    samples.tolerate_bad_data()
    found = {i: marks(samples[i])[0] for i in range(8) if marks(samples[i])}
    assert list(found) == [1, 2, 3, 4]
    place = f'{folder}/val.txt, line'
    assert [found[i]['reason'] for i in found] == [
        f'{place} 2: image {folder}/{names[1]}/y_00001.jpg does not exist',
        f'{place} 3: image {folder}/{names[2]}/x_00011.jpg is empty',
        f'{place} 4: image {folder}/{names[3]}/x_00001.jpg does not exist',
        f'{place} 5: total_frames is 12, but the last image {folder}/{names[4]}/x_00012.jpg does not exist',
    ]
