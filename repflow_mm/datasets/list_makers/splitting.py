"""Splits of labelled items that keep the classes' shares, and keep groups together."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence


def split_items(labels: Sequence[int], groups: Sequence[str], shares: Mapping[str, float], seed: int = 0) -> list[str]:
    """Give each item to a split, the items of a group to the same one.

    Groups go, the largest first and in an order of chance among equals, to the split that lacks most of what they have,
    so that every class is split by the shares as far as the groups allow. A class of as many items as there are splits
    is meant to have one in each. No split is left empty: the last groups, the smallest, go to those that are.

    Args:
        labels (Sequence[int]): Label of each item.
        groups (Sequence[str]): Group of each item; a group of its own for an item that may go anywhere.
        shares (Mapping[str, float]): Names of the splits and their shares, which add up to 1; what is left by rounding
            is the first one's.
        seed (int): Seed of the order. Defaults to 0.

    Returns:
        list[str]: The split of each item.

    Raises:
        ValueError: If a share is not in (0, 1), they do not add up to 1, or there are fewer groups than splits.
    """
    if len(shares) < 2 or any(not 0 < share < 1 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f'shares of two or more splits must be in (0, 1) and add up to 1, got {dict(shares)}')
    members = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    if len(members) < len(shares):
        raise ValueError(f'{len(members)} groups cannot make {len(shares)} splits; the first is {groups[0]!r}')
    sizes = Counter(labels)
    missing = {label: _targets(count, shares) for label, count in sizes.items()}
    order = sorted(members)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda group: -len(members[group]))
    splits = [''] * len(labels)
    empty = dict.fromkeys(shares)
    for left, group in zip(range(len(order), 0, -1), order):
        counts = Counter(labels[index] for index in members[group])
        chosen = min(shares if left > len(empty) else empty, key=lambda name: _error(name, counts, missing, sizes))
        empty.pop(chosen, None)
        for index in members[group]:
            splits[index] = chosen
            missing[labels[index]][chosen] -= 1
    return splits


def _targets(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many items of a class each split is meant to have."""
    first, *others = shares
    targets = {name: max(round(shares[name] * count), int(count >= len(shares))) for name in others}
    return {first: count - sum(targets.values()), **targets}


def _error(
    name: str, counts: Mapping[int, int], missing: Mapping[int, Mapping[str, int]], sizes: Mapping[int, int]
) -> float:
    """How much the squared distance of a split from its targets grows with these items, relative to the classes' sizes.

    A class that lacks m items there and gets n: (m - n)^2 - m^2 = n (n - 2m).
    """
    return sum(count * (count - 2 * missing[label][name]) / sizes[label] for label, count in counts.items())
