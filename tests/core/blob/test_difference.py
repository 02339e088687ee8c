"""Difference images: light, the mirror's shifts, and what must stay."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.blob.difference import make_difference
from astrosieve.exceptions import ExposureError

NEW = (250.3, 260.2, 6.0, 0.08)


def near(shape: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(columns - x, rows - y) < radius


def dips(data: np.ndarray, pattern: np.ndarray) -> float:
    """Return how much of a pattern a difference holds, as a factor."""
    return float((data * pattern).sum() / (pattern**2).sum())


@pytest.mark.parametrize('shift', [(0.1, 0.0), (0.3, -0.2), (-0.5, 0.5), (0.7, 0.1)])
def test_dips_vanish(small, shift: tuple[float, float]) -> None:
    """Shifts of 0.1 to 0.7 pixels leave a tenth of the dips beside older blobs."""
    references = [small.image(noise=0, level=1 + k, seed=k) for k in range(5)]
    image = small.image(shift=shift, noise=0)
    plain = make_difference(image, references, register=False)
    done = make_difference(image, references)
    pattern = 1 - small.mirror(shift) / small.mirror((0, 0))
    assert dips(plain.data, pattern) == pytest.approx(1, abs=0.02)
    assert abs(dips(done.data, pattern)) < 0.1
    assert done.shift == pytest.approx(shift, abs=0.03)
    assert plain.shift == (0, 0)


@pytest.mark.parametrize('place', ['free', 'on an older blob'])
def test_a_new_blob_stays(small, place: str) -> None:
    """The depth of a new blob changes by less than 2 % where the mirror has moved."""
    x, y = NEW[:2] if place == 'free' else (small.old[3][0] + 4, small.old[3][1] - 2)
    new = (x, y, *NEW[2:])
    references = [small.image(noise=0, level=1 + k, seed=k) for k in range(5)]
    shift = (0.4, -0.3)
    core = near(small.shape, x, y, 3)
    at_rest = make_difference(small.image(new=[new], noise=0), references)
    moved = make_difference(small.image(new=[new], shift=shift, noise=0), references)
    assert moved.shift == pytest.approx(shift, abs=0.05)
    depths = [each.data[core].mean() for each in (at_rest, moved)]
    assert depths[1] == pytest.approx(depths[0], rel=0.02)


def test_the_detector_is_not_dragged_along(small) -> None:
    """A dark place of the flat leaves nothing behind when the mirror moves."""
    references = [small.image(noise=0, level=1 + k, seed=k) for k in range(5)]
    done = make_difference(small.image(shift=(0.6, 0.4), noise=0), references)
    x, y, radius, depth = small.fixed[0]
    inside = near(small.shape, x, y, 2 * radius)
    assert np.abs(done.data[inside]).max() < 0.1 * depth


def test_level_and_slope_vanish(small) -> None:
    """Whatever the light of image and references, nothing of it is left."""
    image = small.image(level=2.2, slope=(-0.1, 0.12))
    done = make_difference(image, small.references(12))
    assert done.level == pytest.approx(2.2, rel=0.05)
    even = make_difference(small.image(slope=(0, 0)), small.references(12))
    changed = np.subtract(done.slope, even.slope)
    assert changed == pytest.approx((-0.1, 0.12), abs=0.01)
    assert done.n_references == 12
    assert done.noise == pytest.approx(0.0105, rel=0.1)
    quarters = done.data.reshape(2, 256, 2, 256).mean(axis=(1, 3))
    assert np.abs(quarters).max() < 1e-3


def test_noise_moves_nothing(small) -> None:
    """Where the mirror has not moved, no shift is believed."""
    done = make_difference(small.image(seed=5), small.references(12))
    assert np.hypot(*done.shift) < 0.1
    moved = make_difference(small.image(shift=(0.5, 0.3)), small.references(12))
    assert moved.shift == pytest.approx((0.5, 0.3), abs=0.12)


def test_cosmic_rays_of_references_do_not_count(small) -> None:
    """What one reference alone has is clipped; what is masked is left out."""
    references = small.references(8)
    plain = make_difference(small.image(seed=5), references)
    references[2][100:110, 100:110] += 50
    references[4][200:210, 200:210] = np.nan
    masks = [None] * 8
    masks[5] = np.zeros(small.shape, bool)
    masks[5][300:310, 300:310] = True
    references[5][300:310, 300:310] = -1e9
    done = make_difference(small.image(seed=5), references, reference_masks=masks)
    assert np.abs(done.data - plain.data).max() < 0.02
    assert not done.mask.any()


def test_what_is_not_known_is_nan(small) -> None:
    """Masked pixels of the image, and those that no reference has."""
    mask = np.zeros(small.shape, bool)
    mask[10:20, 30:40] = True
    references = small.references(6)
    for each in references:
        each[50, 60] = np.nan
    image = small.image(seed=5)
    image[70, 80] = np.inf
    done = make_difference(image, references, mask=mask)
    mask[50, 60] = mask[70, 80] = True
    assert (done.mask == mask).all()
    assert (np.isnan(done.data) == mask).all()


def test_inputs_are_left_as_they_are(small) -> None:
    """Neither image nor references are written to."""
    image, references = small.image(), small.references(5)
    kept = image.copy(), [each.copy() for each in references]
    make_difference(image, references)
    assert (image == kept[0]).all()
    assert all((a == b).all() for a, b in zip(references, kept[1], strict=True))


def test_few_references_are_said(small) -> None:
    """One is enough for a difference, and a warning."""
    done = make_difference(small.image(), small.references(1))
    assert done.n_references == 1
    assert 'too few' in done.warnings[0]


def test_what_cannot_be_compared(small) -> None:
    """Shapes, masks, no reference, no light, no pixel: each has its reason."""
    image, references = small.image(), small.references(5)
    with pytest.raises(ValueError, match='at least one reference'):
        make_difference(image, [])
    with pytest.raises(ValueError, match='must be 2D'):
        make_difference(image[None], references)
    with pytest.raises(ValueError, match='must have the shape'):
        make_difference(image, [*references, image[1:]])
    with pytest.raises(ValueError, match='need as many masks'):
        make_difference(image, references, reference_masks=[None])
    with pytest.raises(ExposureError, match='no usable pixel'):
        make_difference(np.full_like(image, np.nan), references)
    with pytest.raises(ExposureError, match='too faint: the level'):
        make_difference(image - 4, references)
    with pytest.raises(ExposureError, match='in which no blob is seen'):
        make_difference(small.image(noise=0.4), references)
    with pytest.raises(ExposureError, match='reference 2 has no usable pixel'):
        make_difference(image, [references[0], np.full_like(image, np.nan)])
