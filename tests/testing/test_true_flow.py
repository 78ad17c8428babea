import struct

import pytest
import torch

from repflow_mm.testing import true_flow
from repflow_mm.testing.opencv_tvl1 import opencv_flow


def flo_bytes(flow):
    """A .flo file of a flow (2, H, W)."""
    _, height, width = flow.shape
    values = flow.permute(1, 2, 0).flatten().tolist()
    return struct.pack(f'<fii{len(values)}f', 202021.25, width, height, *values)


def test_end_point_errors_leave_out_what_is_unknown():
    truth = torch.zeros(2, 2, 2, 2)
    truth[1, 0, 0, 0] = 1e9
    u = torch.zeros(2, 2, 2, 2)
    u[:, 0, 0, 0], u[:, 1, 0, 0] = 3, 4
    u[1, 1, 1, 1] = -1.5
    assert true_flow.end_point_errors(u, truth).tolist() == [1.25, 0.5]


class TestFiles:
    def test_flo(self, tmp_path):
        flow = torch.arange(12.0).reshape(2, 2, 3)
        (tmp_path / 'flow.flo').write_bytes(flo_bytes(flow))
        assert torch.equal(true_flow.read_flo(tmp_path / 'flow.flo'), flow[None])

    @pytest.mark.parametrize('content', [b'', b'PIEH', b'P6 3 2 255\n' + bytes(40)])
    def test_other_files_are_refused(self, tmp_path, content):
        (tmp_path / 'other').write_bytes(content)
        with pytest.raises(ValueError, match=r'other is no \.flo file: it does not begin with 202021\.25'):
            true_flow.read_flo(tmp_path / 'other')

    def test_cut_off_flo_is_refused(self, tmp_path):
        (tmp_path / 'cut.flo').write_bytes(flo_bytes(torch.zeros(2, 2, 3))[:-4])
        with pytest.raises(ValueError, match=r'cut\.flo has 56 bytes, a \.flo file of 3×2 has 60'):
            true_flow.read_flo(tmp_path / 'cut.flo')

    def test_pair_of_files(self, tmp_path):
        cv2 = pytest.importorskip('cv2')
        image = (torch.arange(6).reshape(2, 3) * 40).to(torch.uint8)
        first, second, flow = tmp_path / 'first.png', tmp_path / 'second.png', tmp_path / 'flow.flo'
        cv2.imwrite(str(first), image.numpy())
        flow.write_bytes(flo_bytes(torch.zeros(2, 2, 3)))
        with pytest.raises(FileNotFoundError, match=r'second\.png cannot be read as an image'):
            true_flow.read_pair(first, second, flow)
        cv2.imwrite(str(second), image.flip(0).numpy())
        prev, following, truth = true_flow.read_pair(first, second, flow)
        assert torch.equal(prev[0, 0], image) and torch.equal(following[0, 0], image.flip(0))
        assert truth.shape == (1, 2, 2, 3)
        cv2.imwrite(str(second), image.mT.contiguous().numpy())
        with pytest.raises(ValueError, match=r'second\.png has H, W = \(3, 2\), .*flow\.flo has \(2, 3\)'):
            true_flow.read_pair(first, second, flow)


def test_without_optflow_the_message_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'cv2', None)
    with pytest.raises(ImportError, match=r'needs cv2\.optflow, of opencv-contrib-python'):
        opencv_flow(*(torch.zeros(1, 1, 16, 16, dtype=torch.uint8),) * 2)
