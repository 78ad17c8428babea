from collections import Counter

import pytest

from repflow_mm.datasets.list_makers.splitting import split_items

SHARES = dict(train=0.7, val=0.2, test=0.1)


def counts(labels, splits, label):
    return dict(Counter(split for other, split in zip(labels, splits) if other == label))


def test_every_class_has_the_shares():
    labels = [0] * 100 + [1] * 10 + [2] * 3 + [3]
    splits = split_items(labels, [str(i) for i in range(len(labels))], SHARES)
    assert counts(labels, splits, 0) == dict(train=70, val=20, test=10)
    assert counts(labels, splits, 1) == dict(train=7, val=2, test=1)
    assert counts(labels, splits, 2) == dict(train=1, val=1, test=1)
    assert counts(labels, splits, 3) == dict(train=1)


def test_the_seed_says_which():
    labels, groups = [0, 1] * 20, [str(i) for i in range(40)]
    first, again, other = (split_items(labels, groups, SHARES, seed) for seed in (0, 0, 1))
    assert first == again != other


def test_groups_stay_together():
    groups = [f'g{i % 25}' for i in range(500)]
    labels = [i % 4 for i in range(500)]
    splits = split_items(labels, groups, dict(train=0.8, val=0.2))
    of_group = {group: {split for other, split in zip(groups, splits) if other == group} for group in groups}
    assert all(len(found) == 1 for found in of_group.values())
    for label in range(4):
        assert counts(labels, splits, label) == dict(train=100, val=25)


def test_large_groups_leave_room_for_small_ones():
    groups = ['big'] * 60 + ['middle'] * 25 + [f's{i}' for i in range(15)]
    splits = split_items([0] * 100, groups, dict(train=0.8, val=0.2))
    assert Counter(splits)['val'] in range(15, 26) and splits[0] == 'train'


@pytest.mark.parametrize('shares', [dict(a=1.0), dict(a=0.5, b=0.6), dict(a=1.2, b=-0.2)])
def test_shares_that_are_not_allowed(shares):
    with pytest.raises(ValueError, match=r'shares of two or more splits must be in \(0, 1\) and add up to 1, got'):
        split_items([0, 1], ['a', 'b'], shares)


def test_too_few_groups():
    with pytest.raises(ValueError, match="1 groups cannot make 3 splits; the first is 'a'"):
        split_items([0, 1], ['a', 'a'], SHARES)


@pytest.mark.parametrize(('sizes', 'shares'), [((8, 8), dict(train=0.8, val=0.2)), ((9, 7, 2), SHARES)])
def test_no_split_is_empty(sizes, shares):
    """Of two persons one is for validation, though a fifth of the videos is far from one person's."""
    groups = [f'g{number}' for number, size in enumerate(sizes) for _ in range(size)]
    splits = split_items([0, 1] * (len(groups) // 2), groups, shares)
    assert set(splits) == set(shares) and Counter(splits)['train'] == max(sizes)
