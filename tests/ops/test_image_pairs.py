"""What TV-L1 and Brox flow share: axes and signs, what images may be, pairs apart from each other, what is refused."""

import pytest
import torch
from image_pair_cases import BACKENDS, FEW, moved_pair, needs_compiler, noise_pair
from torch.testing import assert_close

pytestmark = pytest.mark.parametrize('flow', FEW, ids=lambda flow: flow.__name__)


class TestKnownMotion:
    @pytest.mark.parametrize('backend', BACKENDS)
    @pytest.mark.parametrize('shift', [(2, 0), (0, 2), (-1, 0), (0, -1), (1.5, -0.75), (-3, 2)], ids=str)
    def test_translation_has_the_right_axis_and_sign(self, flow, shift, backend):
        u = flow(*moved_pair(*shift), backend=backend)
        inner = u[0, :, 6:-6, 6:-6]
        assert_close(inner.mean(dim=(1, 2)), torch.tensor(shift, dtype=torch.float64), rtol=0, atol=0.05)
        assert (inner - inner.mean(dim=(1, 2), keepdim=True)).abs().max() < 0.3

    @pytest.mark.parametrize('backend', BACKENDS)
    def test_equal_images_do_not_move(self, flow, backend):
        image = noise_pair()[0]
        u = flow(image, image.clone(), backend=backend)
        # The reference samples at places that went through a normalised grid and back.
        assert_close(u, torch.zeros(2, 2, 20, 21, dtype=torch.float64), rtol=0, atol=1e-9)

    @pytest.mark.parametrize('backend', BACKENDS)
    def test_swapped_axes_swap_the_components(self, flow, backend):
        prev, following = moved_pair(1.5, -0.75, height=24, width=31)
        u = flow(prev, following, **FEW[flow], backend=backend)
        turned = flow(prev.mT, following.mT, **FEW[flow], backend=backend)
        assert_close(turned.mT.flip(1), u, rtol=0, atol=1e-8)


class TestImages:
    def test_three_channels_are_their_grey_version(self, flow):
        prev, following = noise_pair(channels=3)
        grey = [0.299 * i[:, :1] + 0.587 * i[:, 1:2] + 0.114 * i[:, 2:] for i in (prev, following)]
        assert_close(flow(prev, following, **FEW[flow]), flow(*grey, **FEW[flow]), rtol=0, atol=1e-8)

    def test_bytes_are_their_float_version(self, flow):
        prev, following = (image.round().to(torch.uint8) for image in noise_pair())
        u = flow(prev, following, **FEW[flow])
        assert u.dtype == torch.float32
        assert torch.equal(u, flow(prev.float(), following.float(), **FEW[flow]))

    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
    def test_half_precision_is_solved_in_float32_and_rounded(self, flow, dtype):
        prev, following = (image.to(dtype) for image in noise_pair())
        u = flow(prev, following, **FEW[flow])
        assert u.dtype == dtype
        assert torch.equal(u, flow(prev.float(), following.float(), **FEW[flow]).to(dtype))

    def test_any_strides(self, flow):
        prev, following = noise_pair()
        expected = flow(prev, following, **FEW[flow])
        assert torch.equal(flow(prev.mT.contiguous().mT, following[:, [0]], **FEW[flow]), expected)

    @pytest.mark.parametrize('backend', BACKENDS)
    def test_no_pairs_give_no_flows(self, flow, backend):
        assert flow(torch.zeros(0, 3, 20, 24), torch.zeros(0, 3, 20, 24), backend=backend).shape == (0, 2, 20, 24)

    def test_inside_a_compiled_function_it_runs_eagerly(self, flow):
        few, pair = FEW[flow], noise_pair()
        compiled = torch.compile(lambda prev, following: flow(prev, following, **few) + 1, backend='eager')
        assert torch.equal(compiled(*pair), flow(*pair, **few) + 1)

    @pytest.mark.parametrize('backend', BACKENDS)
    def test_inputs_stay_as_they_are(self, flow, backend):
        pair = noise_pair()
        copies = [image.clone() for image in pair]
        flow(*pair, **FEW[flow], backend=backend)
        assert all(torch.equal(image, copy) for image, copy in zip(pair, copies))


class TestPairsAreApart:
    @pytest.mark.parametrize('backend', BACKENDS)
    def test_a_batch_is_its_pairs(self, flow, backend):
        prev, following = noise_pair(n=3)
        following[1] = prev[1]  # where TV-L1 converges at once, while the others go on
        batch = flow(prev, following, **FEW[flow], backend=backend)
        for i in range(3):
            alone = flow(prev[i : i + 1], following[i : i + 1], **FEW[flow], backend=backend)
            assert_close(batch[i : i + 1], alone, rtol=0, atol=1e-9)

    @pytest.mark.parametrize('backend', BACKENDS)
    @pytest.mark.parametrize('value', [float('nan'), float('inf')])
    def test_a_pixel_that_is_not_finite_spoils_its_pair_alone(self, flow, backend, value):
        prev, following = noise_pair(n=3)
        clean = flow(prev, following, **FEW[flow], backend=backend)
        following[1, 0, 3, 4] = value
        u = flow(prev, following, **FEW[flow], backend=backend)
        assert u[1].isnan().all()
        assert_close(u[[0, 2]], clean[[0, 2]], rtol=0, atol=1e-12)

    @needs_compiler
    def test_same_bits_under_any_thread_count(self, flow):
        prev, following = (image.float() for image in noise_pair(n=5, height=64, width=70))
        threads, results = torch.get_num_threads(), []
        try:
            for count in (1, 2, 3):
                torch.set_num_threads(count)
                results.append(flow(prev, following, backend='cpu'))
        finally:
            torch.set_num_threads(threads)
        assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


class TestGuards:
    @pytest.mark.parametrize(
        'prev, following, error, message',
        [
            ([1], torch.zeros(1, 1, 4, 4), TypeError, 'prev must be a tensor, got list'),
            (torch.zeros(1, 1, 4, 4), None, TypeError, 'next must be a tensor, got NoneType'),
            (
                torch.zeros(1, 1, 4, 4).int(),
                torch.zeros(1, 1, 4, 4),
                TypeError,
                r'prev must be uint8 or floating point of 16 bits or more, got torch\.int32',
            ),
            (
                torch.zeros(1, 2, 4, 4),
                torch.zeros(1, 2, 4, 4),
                ValueError,
                r'prev must have shape \(N, 1 or 3, H, W\) with H, W >= 2, got \(1, 2, 4, 4\)',
            ),
            (torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), ValueError, r'prev must have shape .* got \(1, 4, 4\)'),
            (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 1), ValueError, r'next must have .* got \(1, 1, 4, 1\)'),
            (
                torch.zeros(1, 1, 4, 4),
                torch.zeros(2, 1, 4, 4),
                ValueError,
                r'must have the same shape, got torch\.Size\(\[1, 1, 4, 4\]\) and torch\.Size\(\[2, 1, 4, 4\]\)',
            ),
            (
                torch.zeros(1, 1, 4, 4),
                torch.zeros(1, 1, 4, 4).double(),
                ValueError,
                r'must have the same dtype, got torch\.float32 and torch\.float64',
            ),
            (
                torch.zeros(1, 1, 4, 4),
                torch.zeros(1, 1, 4, 4, device='meta'),
                ValueError,
                'must have the same device, got cpu and meta',
            ),
            (
                torch.zeros(1, 1, 4, 4),
                torch.full((1, 1, 4, 4), -2.5),
                ValueError,
                r'next must be in \[0, 255\], got values from -2\.5 to -2\.5',
            ),
            (torch.full((1, 1, 4, 4), 256.0), torch.zeros(1, 1, 4, 4), ValueError, r'prev must .* 256 to 256'),
        ],
    )
    def test_images(self, flow, prev, following, error, message):
        with pytest.raises(error, match=message):
            flow(prev, following)

    @pytest.mark.parametrize('backend', ['auto', 'cpu', 'reference'])
    def test_images_without_plain_values(self, flow, backend):
        image = torch.rand(1, 1, 4, 4)
        for odd, message in (
            (image.to_sparse(), 'prev must be a dense tensor, got torch.sparse_coo'),
            (torch.nested.nested_tensor([image[0]]), 'prev must be a dense tensor, got a nested one'),
            (image.to(torch.float8_e5m2), 'prev must be uint8 or floating .* got torch.float8_e5m2'),
            (image.to('meta'), 'prev and next must have values, got tensors on device meta'),
        ):
            with pytest.raises(TypeError, match=message):
                flow(odd, odd, backend=backend)
