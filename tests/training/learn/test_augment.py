"""What an epoch changes in images."""

from __future__ import annotations

import numpy as np

from astrosieve_training.learn.augment import turned


def scales(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    cutouts = rng.random((n, 1, 5, 5)).astype(np.float32)
    width = np.arange(n, dtype=np.float32)[:, None]
    return {'cutouts': cutouts, 'wide': 2 * cutouts, 'fwhm': width}


def test_images_are_turned_alike() -> None:
    """All scales of a row in one of eight orientations; numbers stay."""
    inputs = scales(200)
    before = inputs['cutouts'].copy()
    got = turned(inputs, np.random.default_rng(0))
    assert np.array_equal(got['wide'], 2 * got['cutouts'])
    assert np.array_equal(got['fwhm'], inputs['fwhm'])
    assert np.array_equal(inputs['cutouts'], before)
    kinds = set()
    for old, new in zip(before[:, 0], got['cutouts'][:, 0], strict=True):
        ways = [np.rot90(each, k) for each in (old, old[:, ::-1]) for k in range(4)]
        same = [i for i, way in enumerate(ways) if np.array_equal(way, new)]
        assert len(same) == 1
        kinds.add(same[0])
    assert kinds == set(range(8))
