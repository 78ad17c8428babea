"""Files from strangers, given to every tool that reads such: nothing in them runs, nothing is changed elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from repflow_mm.chaos.hostile.caches import cache_offers
from repflow_mm.chaos.hostile.checkpoints import checkpoint_offers
from repflow_mm.chaos.hostile.lists import list_offers
from repflow_mm.chaos.hostile.offer import OF_OTHERS, Offer
from repflow_mm.chaos.hostile.scores import score_offers
from repflow_mm.chaos.kills import preload, prepare
from repflow_mm.chaos.parts import emit_untried, run_in_child, tries_of
from repflow_mm.timed_parts.context import Context, Emit

MOST_SECONDS = 120
# What a hostile file would make if it could.
MARK = 'executed'


def run(emit: Emit, context: Context) -> None:
    """Make every offer, as far as the time goes."""
    torch.set_num_threads(1)
    folder = context.folder / 'hostile_files'
    config = prepare(folder)
    preload(config, folder / 'own')
    video = sorted((folder / 'clips').rglob('*.mp4'))[0]
    all_offers = by_turns(offers(config, folder / 'own' / 'epoch_2.pth', video))
    all_offers = all_offers[: tries_of(context, len(all_offers))]
    seconds = 0.0
    for number, offer in enumerate(all_offers):
        before = context.seconds_left()
        if before < 2 * seconds + 5:
            emit_untried(emit, [left.kind for left in all_offers[number:]])
            return
        why = accept(offer, folder / f'offer{number}')
        emit(kind=offer.kind, count=1, ok=not why, why=why and f'{offer.name}: {why}')
        seconds = before - context.seconds_left()


def offers(config: Path, checkpoint: Path, video: Path) -> list[Offer]:
    """Hostile checkpoints, dumps of scores, lists and caches, each for every tool that reads such."""
    of_checkpoints, of_lists = checkpoint_offers(config, checkpoint, video), list_offers(config, checkpoint)
    return [*of_checkpoints, *score_offers(), *of_lists, *cache_offers(config)]


def by_turns(all_offers: Sequence[Offer]) -> list[Offer]:
    """The same offers, the first of each kind before the others."""
    first = {offer.kind: offer for offer in reversed(all_offers)}
    return sorted(all_offers, key=lambda offer: offer is not first[offer.kind])


def accept(offer: Offer, folder: Path) -> str:
    """Give a file to its tool; returns what it did that it must not, '' if nothing."""
    inside, mark = folder / 'inside', folder / MARK
    inside.mkdir(parents=True)

    def call() -> None:
        os.chdir(inside)
        offer.tool(arguments)

    arguments = offer.make(inside, mark)
    (folder / OF_OTHERS).touch()
    before = _listing(folder, inside)
    try:
        status = run_in_child(call, folder.with_suffix('.log'), MOST_SECONDS)
    except TimeoutError as error:
        return str(error)
    if mark.exists():
        return 'what is in it was executed'
    after = _listing(folder, inside)
    for what, paths in (('wrote', after - before), ('removed', before - after)):
        if paths:
            return f'{what} {sorted(paths)} outside of its folder'
    return f'ended by signal {-status}' if status < 0 else ''


def _listing(folder: Path, inside: Path) -> set[str]:
    """All that lies in a folder, but for what is in that other one."""
    return {str(path) for path in folder.rglob('*') if inside not in path.parents}
