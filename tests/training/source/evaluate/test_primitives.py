"""Fields made of GalSim's primitives alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('galsim')

from astrosieve.images.exposures import read_chips
from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate.truth import label_positions, read_truth
from astrosieve_training.source.evaluate.labels.primitives import PrimitiveField

FIELD = PrimitiveField(
    'small', (5,), exposures=2, size=160, bright=80.0, galaxies=800.0, stars=1500.0
)


@pytest.fixture(scope='module')
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    return FIELD.write(5, tmp_path_factory.mktemp('primitives'))


def test_exposures_are_what_the_truth_says(pairs: list[tuple[Path, Path]]) -> None:
    """Sky, all components and noise make the pixels; saturated ones are flagged."""
    for image, truth in pairs:
        (chip,) = read_chips(image)
        (true,) = read_truth(truth)
        charge = np.sum(list(true.planes.values()), axis=0)
        pull = (chip.sci - charge - true.sky) / true.noise
        assert abs(pull.mean()) < 0.05
        assert pull.std() == pytest.approx(1, abs=0.05)
        assert chip.dq is not None
        full = chip.dq & chip.dq_meaning.saturated != 0
        assert full.any()
        assert (chip.sci[full] > 0.9 * true.full_well).all()
        assert chip.dq[true.planes['bad_pixel'] > 0].any()


def test_each_class_is_there(pairs: list[tuple[Path, Path]]) -> None:
    """Stars, galaxies and hits are what their places are called."""
    (true,) = read_truth(pairs[0][1])
    for table, name in ((true.stars, 'star'), (true.galaxies, 'extended')):
        xy = np.column_stack([table['x'], table['y']])
        xy = xy[((xy > 2) & (xy < FIELD.size - 3)).all(axis=1)]
        labels = label_positions(true, xy)
        assert len(xy) > 10
        assert np.mean(labels['label'] == name) > 0.5
    assert (true.planes['spike'] > 3 * true.noise).any()
    assert (true.planes['cosmic_ray'] > 3 * true.noise).any()


def test_dithers_show_one_sky(pairs: list[tuple[Path, Path]]) -> None:
    """The same stars, by the WCS, at other pixels; hits of their own."""
    chips = [next(iter(read_chips(image))) for image, _ in pairs]
    truths = [read_truth(truth)[0] for _, truth in pairs]
    wcs = [chip.wcs for chip in chips]
    assert wcs[0] is not None
    assert wcs[1] is not None
    first = truths[0].stars
    sky = wcs[0].pixel_to_world(first['x'], first['y'])
    there = np.column_stack(wcs[1].world_to_pixel(sky))
    other = np.column_stack([truths[1].stars['x'], truths[1].stars['y']])
    np.testing.assert_allclose(there, other, atol=0.01)
    assert np.hypot(*(other[0] - (first['x'][0], first['y'][0]))) > 1
    assert len(truths[0].cosmic_rays) != len(truths[1].cosmic_rays)


def test_same_seed_same_pixels(pairs: list[tuple[Path, Path]], tmp_path: Path) -> None:
    """Exposures are made again as they were; another seed makes others."""
    (again, _), _ = FIELD.write(5, tmp_path)
    first, second = (next(iter(read_chips(p))).sci for p in (pairs[0][0], again))
    np.testing.assert_array_equal(first, second)
    assert FIELD.decides(5) != FIELD.decides(6)


def test_bad_settings_are_refused() -> None:
    """Lengths and rates are not negative."""
    with pytest.raises(ConfigError, match='scale must be positive'):
        PrimitiveField('none', (1,), scale=0.0)
