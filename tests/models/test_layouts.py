import pytest
import torch
from torch.testing import assert_close

from repflow_mm.models.layouts import (
    Clips,
    ClipShape,
    Frames,
    NetworkInput,
    Tokens,
    TokensAndGrid,
    layout_from_config,
    layout_of,
)

N, C, T, H, W = 2, 3, 4, 5, 6
SIZE = (H * 16, W * 16)
GRID = ('proj', (T, H, W))


@pytest.fixture
def clips():
    return torch.arange(N * C * T * H * W, dtype=torch.float32).view(N, C, T, H, W)


def shape(is_folded=False):
    return ClipShape(N, is_folded, {'proj': (T, H, W)})


# The layout, and clips in it, written with einsum-like views that are not those of the package.
LAYOUTS = {
    'clips': (Clips(), lambda x: x),
    'clips_last': (Clips(channels_last=True), lambda x: torch.einsum('nctyx->ntyxc', x)),
    'frames': (Frames(), lambda x: torch.stack([x[n, :, t] for n in range(N) for t in range(T)])),
    'frames_last': (
        Frames(channels_last=True),
        lambda x: torch.stack([torch.einsum('cyx->yxc', x[n, :, t]) for n in range(N) for t in range(T)]),
    ),
    'thw': (Tokens('thw', 'proj'), lambda x: torch.einsum('nctyx->ntyxc', x).reshape(N, T * H * W, C)),
    'hwt': (Tokens('hwt', 'proj'), lambda x: torch.einsum('nctyx->nyxtc', x).reshape(N, T * H * W, C)),
    'hw': (Tokens('hw', 'proj'), lambda x: torch.einsum('nctyx->ntyxc', x).reshape(N * T, H * W, C)),
    'hw_length_first': (
        Tokens('hw', 'proj', length_first=True),
        lambda x: torch.einsum('nctyx->yxntc', x).reshape(H * W, N * T, C),
    ),
}


@pytest.mark.parametrize('name', LAYOUTS)
def test_features_become_clips_and_come_back(name, clips):
    layout, laid_out = LAYOUTS[name]
    x = laid_out(clips)
    assert layout.num_channels(x) == C
    assert_close(layout.to_clips(x, shape()), clips, rtol=0, atol=0)
    assert_close(layout.from_clips(2 * clips, x, shape()), 2 * x, rtol=0, atol=0)


@pytest.mark.parametrize('name', LAYOUTS)
def test_order_in_memory_is_that_of_the_features(name, clips):
    layout, laid_out = LAYOUTS[name]
    plain = laid_out(clips).contiguous()
    channels_first_or_last = plain.movedim(1, -1).contiguous().movedim(-1, 1)
    for x in (plain, channels_first_or_last):
        assert layout.from_clips(clips, x, shape()).stride() == x.stride()


@pytest.mark.parametrize('name', ['thw', 'hwt', 'hw', 'hw_length_first'])
def test_class_tokens_stay(name, clips):
    layout, laid_out = LAYOUTS[name]
    positions, dim = laid_out(clips), 0 if layout.length_first else 1
    class_tokens = -torch.ones_like(positions.narrow(dim, 0, 2))
    x = torch.cat((class_tokens, positions), dim)
    assert_close(layout.to_clips(x, shape()), clips, rtol=0, atol=0)
    expected = torch.cat((class_tokens, 2 * positions), dim)
    assert_close(layout.from_clips(2 * clips, x, shape()), expected, rtol=0, atol=0)


def test_tokens_with_their_grid(clips):
    positions = LAYOUTS['thw'][1](clips)
    x = (torch.cat((positions[:, :1], positions), 1), (T, H, W))
    assert_close(TokensAndGrid().to_clips(x, shape()), clips, rtol=0, atol=0)
    tokens, grid = TokensAndGrid().from_clips(2 * clips, x, shape())
    assert grid == (T, H, W)
    assert_close(tokens, torch.cat((positions[:, :1], 2 * positions), 1), rtol=0, atol=0)


def test_input_may_be_frames_or_clips(clips):
    for is_folded, x in ((False, clips), (True, LAYOUTS['frames'][1](clips))):
        assert_close(NetworkInput().to_clips(x, shape(is_folded)), clips, rtol=0, atol=0)
        assert_close(NetworkInput().from_clips(2 * clips, x, shape(is_folded)), 2 * x, rtol=0, atol=0)


@pytest.mark.parametrize('name', LAYOUTS)
def test_layout_is_found_from_a_shape(name, clips):
    layout, laid_out = LAYOUTS[name]
    network = dict(thw='VisionTransformer', hwt='TimeSformer').get(name, 'Any')
    assert layout_of(laid_out(clips), N, SIZE, GRID, ('Mine', network)) == layout


def test_tuple_of_tokens_and_grid_is_found():
    tokens = torch.rand(N, 1 + T * H * W, C)
    assert layout_of((tokens, [T, H, W]), N, SIZE, None, ()) == TokensAndGrid()
    for other in ((tokens, [T, H]), (tokens, [T, H, 2 * W]), (tokens[0], [T, H, W])):
        with pytest.raises(ValueError, match='found is a tuple of a tensor of shape'):
            layout_of(other, N, SIZE, None, ())


@pytest.mark.parametrize(
    'output, message',
    [
        (torch.rand(N, C), r'found is a tensor of shape \(2, 3\) for N = 2 clips'),
        (torch.rand(N + 1, C, T, H, W), r'found is a tensor of shape \(3, 3, 4, 5, 6\) for N = 2'),
        (torch.rand(N * T + 1, C, H, W), r'found is a tensor of shape \(9, 3, 5, 6\) for N = 2'),
        (torch.rand(N, T * H * W + 17, C), r'found is a tensor of shape \(2, 137, 3\) for N = 2'),
        (None, 'found is NoneType for N = 2'),
    ],
    ids=['features', 'clips', 'frames', 'tokens', 'none'],
)
def test_what_is_not_supported(output, message):
    with pytest.raises(ValueError, match=r'^supported are frames \(N\*T, C, H, W\), clips .*' + message):
        layout_of(output, N, SIZE, GRID, ())


def test_order_of_tokens_of_an_unknown_network():
    with pytest.raises(ValueError, match=r"4 x 5 x 6 positions, whose order only layout=dict\(kind='tokens', order"):
        layout_of(torch.rand(N, T * H * W, C), N, SIZE, GRID, ('Mine',))


def test_layouts_of_configs():
    assert layout_from_config('clips', None) == Clips()
    assert layout_from_config(dict(kind='frames', channels_last=True), None) == Frames(channels_last=True)
    assert layout_from_config(dict(kind='tokens', order='thw'), GRID) == Tokens('thw', 'proj')
    assert layout_from_config(dict(kind='tokens', order='hw', grid='stem'), GRID) == Tokens('hw', 'stem')
    with pytest.raises(ValueError, match="'tokens' needs grid, the name of the convolution that makes them, got None"):
        layout_from_config(dict(kind='tokens', order='thw'), None)
