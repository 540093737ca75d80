from __future__ import annotations

import pytest
import torch

from pg_transfer.model.checkpoint.positions import resample_positions


@pytest.mark.parametrize(
    ("old", "new", "mode"),
    # scipy's default mode, the reference's, answers zeros in the last row and column for 32 to 16:
    # 15 * (31 / 15) is more than 31 in floating point. There the oracle is its mode "nearest".
    [(16, 32, "constant"), (16, 64, "constant"), (32, 64, "constant"), (32, 16, "nearest")],
)
def test_released_grids_are_resampled_as_scipy_does(old, new, mode):
    zoom = pytest.importorskip("scipy.ndimage").zoom
    table = torch.randn(old * old, 8, generator=torch.Generator().manual_seed(0))
    ours = resample_positions(table, new * new)
    expected = zoom(table.reshape(old, old, 8).numpy(), (new / old, new / old, 1), order=1,
                    mode=mode)  # fmt: skip
    torch.testing.assert_close(ours, torch.from_numpy(expected.reshape(-1, 8)), rtol=0, atol=1e-6)


def test_corners_stay_and_what_lies_between_is_their_mean():
    # 2 x 2 to 3 x 3: the corners keep their values, every new point is halfway between two or four.
    ours = resample_positions(torch.tensor([[0.0], [2.0], [4.0], [10.0]]), 9)
    assert ours.flatten().tolist() == [0, 1, 2, 2, 4, 6, 4, 7, 10]
