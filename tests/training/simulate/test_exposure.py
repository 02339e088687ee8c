"""Whole exposures: determinism, truth, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrosieve.exceptions import CatalogError, OutputError
from astrosieve_training.simulate import (
    COMPONENTS,
    Camera,
    PSFConfig,
    SceneConfig,
    SimulatedExposure,
    Truth,
    label_positions,
    load_camera,
    read_truth,
    simulate_dithered_set,
    simulate_exposure,
)
from astrosieve_training.simulate.chips import ChipState, Effect
from astrosieve_training.simulate.effects import EFFECTS, cosmic_rays, starlight

_CAMERA = Camera(
    'test',
    shape=(256, 300),
    n_chips=2,
    cte_loss=0.05,
    psf=PSFConfig(kind='moffat', fwhm=2.0),
)


@pytest.fixture(scope='module')
def exposure() -> SimulatedExposure:
    """Return a two-chip exposure with a bit of everything."""
    scene = SceneConfig(star_density=3000, galaxy_density=200, nebula=1.0)
    return simulate_exposure(_CAMERA, seed=11, scene=scene)


def test_deterministic_bit_for_bit(exposure: SimulatedExposure) -> None:
    """The same seed gives the same exposure, another seed another."""
    again = simulate_exposure(_CAMERA, seed=11, scene=exposure.scene)
    other = simulate_exposure(_CAMERA, seed=12, scene=exposure.scene)
    for a, b, c in zip(exposure.chips, again.chips, other.chips, strict=True):
        assert np.array_equal(a.sci, b.sci)
        assert np.array_equal(a.err, b.err)
        assert np.array_equal(a.dq, b.dq)
        for name in COMPONENTS:
            assert np.array_equal(a.truth.planes[name], b.truth.planes[name])
        assert not np.array_equal(a.sci, c.sci)


def test_types_and_shapes(exposure: SimulatedExposure) -> None:
    """Arrays are float32 and int16 and of the chip's shape."""
    assert len(exposure.chips) == 2
    for chip in exposure.chips:
        assert chip.sci.shape == chip.err.shape == chip.dq.shape == (256, 300)
        assert chip.sci.dtype == chip.err.dtype == np.float32
        assert chip.dq.dtype == np.int16
        assert all(p.dtype == np.float32 for p in chip.truth.planes.values())
        assert (chip.err > 0).all()


def test_planes_sum_to_the_noiseless_image(exposure: SimulatedExposure) -> None:
    """Components and sky are all there is, but for pixels that lack charge."""
    for chip in exposure.chips:
        total = sum(p.astype(float) for p in chip.truth.planes.values())
        rest = chip.noiseless - chip.truth.sky - total
        assert np.quantile(np.abs(rest), 0.99) < 0.01
        assert rest.max() < 0.02 * max(1.0, chip.noiseless.max() / 1e4)
        # Only dead pixels and over-subtracted hot ones fall short.
        assert (rest < -0.5).mean() < 0.01


def test_noise_is_the_noise(exposure: SimulatedExposure) -> None:
    """The image scatters about its expectation by what the truth says."""
    chip = exposure.chips[0]
    pull = (chip.sci - chip.noiseless) / chip.truth.noise
    low, high = np.percentile(pull, [15.87, 84.13])
    assert (high - low) / 2 == pytest.approx(1, abs=0.06)


def test_star_flux_is_in_its_plane() -> None:
    """An isolated star's core and the rest add up to its flux."""
    camera = replace(
        _CAMERA, n_chips=1, cte_loss=0.0, flat_noise=0.0, dead_fraction=0.0,
        bad_columns=0.0, psf=PSFConfig(kind='gaussian', fwhm=2.0),
    )  # fmt: skip
    scene = SceneConfig(
        star_density=100, faint_snr=30, saturation=0.5, galaxy_density=0, bright_stars=0
    )
    truth = simulate_exposure(camera, seed=3, scene=scene).truth
    inside = (truth.stars['x'] > 20) & (truth.stars['x'] < 280)
    inside &= (truth.stars['y'] > 20) & (truth.stars['y'] < 236)
    planes = truth.planes['star'] + truth.planes['spike']
    for star in truth.stars[inside]:
        x, y = int(star['x'] + 0.5), int(star['y'] + 0.5)
        near = np.hypot(truth.stars['x'] - star['x'], truth.stars['y'] - star['y'])
        if (near < 25).sum() > 1:
            continue
        box = planes[y - 10 : y + 11, x - 10 : x + 11].sum()
        assert box == pytest.approx(star['flux'], rel=0.01)
        small = planes[y - 1 : y + 2, x - 1 : x + 2].sum()
        assert star['box_electrons'] == pytest.approx(small, rel=0.01)


def test_saturated_stars_keep_their_charge() -> None:
    """With bleeding, the planes hold the star's electrons and no pixel overflows."""
    camera = replace(
        _CAMERA, n_chips=1, cte_loss=0.0, cosmic_ray_rate=0.0, full_well=2e4,
        dead_fraction=0.0, bad_columns=0.0, hot_fraction=0.0, warm_fraction=0.0,
        unstable_fraction=0.0,
    )  # fmt: skip
    scene = SceneConfig(
        star_density=0, galaxy_density=0, bright_stars=200, saturation=20
    )
    exposure = simulate_exposure(camera, seed=5, scene=scene)
    chip, stars = exposure.chips[0], exposure.truth.stars
    assert stars['saturated'].any()
    assert chip.noiseless.max() <= 2e4 * 1.001
    assert (chip.dq & 256).any()
    bled = chip.truth.planes['spike'][:, int(stars['x'][np.argmax(stars['peak'])])]
    assert bled.max() > 1e3


def test_dithered_set_sees_the_same_sky() -> None:
    """Stars keep their flux and move alike; hits and noise differ."""
    first, second = simulate_dithered_set(
        replace(_CAMERA, n_chips=1), 2, seed=4, scene='field'
    )
    a, b = first.truth.stars, second.truth.stars
    _, ia, ib = np.intersect1d(a['id'], b['id'], return_indices=True)
    assert len(ia) > 10
    np.testing.assert_allclose(a['flux'][ia], b['flux'][ib])
    assert np.ptp(a['x'][ia] - b['x'][ib]) < 1e-9
    assert len(first.truth.cosmic_rays) != len(second.truth.cosmic_rays) or (
        first.truth.cosmic_rays['x'][0] != second.truth.cosmic_rays['x'][0]
    )
    # The WCS of both gives a star the same place on the sky.
    sky = first.wcs.pixel_to_world_values(a['x'][ia], a['y'][ia])
    again = second.wcs.pixel_to_world_values(b['x'][ib], b['y'][ib])
    np.testing.assert_allclose(sky, again, atol=1e-9)
    assert np.abs(a['x'][ia] - b['x'][ib]).max() > 0.1


def test_flc_file(exposure: SimulatedExposure, tmp_path: Path) -> None:
    """A file has SCI, ERR, DQ for each chip and what TweakReg asks for."""
    path = tmp_path / 'sim_flc.fits'
    exposure.write(path)
    with fits.open(path) as hdus:
        names = [(h.name, h.ver) for h in hdus[1:]]
        assert names == [(n, v) for v in (1, 2) for n in ('SCI', 'ERR', 'DQ')]
        assert np.array_equal(hdus['SCI', 2].data, exposure.chips[1].sci)
        for key in ('EXPSTART', 'EXPEND', 'EXPTIME', 'CCDGAIN', 'FILTER', 'DETECTOR'):
            assert key in hdus[0].header
        for key in ('CRPIX1', 'CD1_1', 'IDCSCALE', 'OCX11', 'MDRIZSKY', 'LTV1'):
            assert key in hdus['SCI', 1].header
        assert hdus['SCI', 1].header['CTYPE1'] == 'RA---TAN'
    with pytest.raises(OutputError, match='exists'):
        exposure.write(path)


def test_core_reads_the_file(exposure: SimulatedExposure, tmp_path: Path) -> None:
    """The package's own reader takes it."""
    from astrosieve.images.exposures import read_chips

    path = tmp_path / 'sim_flc.fits'
    exposure.write(path)
    chips = list(read_chips(path))
    assert [c.extver for c in chips] == [1, 2]
    assert np.array_equal(chips[0].sci, exposure.sci)
    assert chips[0].exptime == exposure.exptime


def test_ground_and_c0m_layouts(tmp_path: Path) -> None:
    """Integer counts in one primary image; counts with their gain in SCI."""
    ground = replace(
        _CAMERA, n_chips=1, layout='ground', unit='COUNTS', integer=True, gain=2.0,
        sky_rate=1.0,
    )  # fmt: skip
    exposure = simulate_exposure(ground, seed=2, shape=(100, 120))
    assert exposure.electrons_per_unit == 2.0
    exposure.write(tmp_path / 'g.fits')
    with fits.open(tmp_path / 'g.fits') as hdus:
        assert len(hdus) == 1
        assert hdus[0].data.dtype.kind == 'u'
        assert hdus[0].data.shape == (100, 120)
        assert hdus[0].header['GAIN'] == 2.0
    wfpc2 = replace(ground, layout='c0m', integer=False, instrument='WFPC2')
    simulate_exposure(wfpc2, seed=2, shape=(64, 64)).write(tmp_path / 'u_c0m.fits')
    with fits.open(tmp_path / 'u_c0m.fits') as hdus:
        assert [h.name for h in hdus[1:]] == ['SCI']
        assert hdus[1].header['BUNIT'] == 'COUNTS'


def test_truth_round_trip(exposure: SimulatedExposure, tmp_path: Path) -> None:
    """What is written is read again, planes to 0.02 electrons, labels alike."""
    path = tmp_path / 'truth.fits'
    exposure.write_truth(path)
    truths = read_truth(path)
    assert len(truths) == 2
    for chip, truth in zip(exposure.chips, truths, strict=True):
        for name in COMPONENTS:
            np.testing.assert_allclose(
                truth.planes[name], chip.truth.planes[name], atol=0.02
            )
        assert truth.fwhm == chip.truth.fwhm
        assert truth.stars.colnames == chip.truth.stars.colnames
        np.testing.assert_allclose(truth.stars['x'], chip.truth.stars['x'])
        xy = np.random.default_rng(1).uniform(0, 250, (500, 2))
        a, b = label_positions(truth, xy), label_positions(chip.truth, xy)
        assert (a['label'] == b['label']).mean() > 0.995


def glow(state: ChipState, rng: np.random.Generator) -> None:
    """An effect of another task: charge that an earlier exposure left."""
    state.planes['glow'] = np.zeros(state.shape, np.float32)
    state.planes['glow'][100:110, 50:60] = rng.uniform(400, 600, (10, 10))
    state.charge += state.planes['glow']
    state.expected = state.expected + state.planes['glow']


def after(effect: Effect, number: int) -> list[tuple[Effect, int]]:
    """Return all effects, with another one once the charge is there."""
    effects = list(EFFECTS)
    place = [each for each, _ in effects].index(cosmic_rays)
    effects.insert(place, (effect, number))
    return effects


def test_further_effects(tmp_path: Path) -> None:
    """One adds its charge and its plane, and leaves the chance of others alone."""
    camera = replace(_CAMERA, n_chips=1, cte_loss=0.0)
    made = simulate_exposure(camera, seed=3, effects=after(glow, 100))
    plain = simulate_exposure(camera, seed=3)
    added = made.sci - plain.sci
    planes = made.truth.planes
    assert list(planes) == [*COMPONENTS, 'glow']
    assert planes['glow'].max() > 500
    assert added == pytest.approx(planes['glow'], abs=1.001)  # a count is an electron
    for name in COMPONENTS:
        assert np.array_equal(planes[name], plain.truth.planes[name]), name
    again = simulate_exposure(camera, seed=3, effects=after(glow, 100))
    other = simulate_exposure(camera, seed=3, effects=after(glow, 101))
    assert np.array_equal(made.sci, again.sci)
    assert not np.array_equal(made.sci, other.sci)
    made.write_truth(tmp_path / 'truth.fits')
    (truth,) = read_truth(tmp_path / 'truth.fits')
    assert list(truth.planes) == list(planes)
    assert truth.planes['glow'] == pytest.approx(planes['glow'], abs=0.02)


def test_without_an_effect() -> None:
    """What is left out is not there; the defects and the other hits are."""
    camera = replace(_CAMERA, n_chips=1)
    fewer = [(each, n) for each, n in EFFECTS if each not in (starlight, cosmic_rays)]
    made = simulate_exposure(camera, seed=3, effects=fewer)
    plain = simulate_exposure(camera, seed=3)
    assert not made.truth.planes['cosmic_ray'].any()
    assert not made.truth.planes['star'].any()
    assert len(made.truth.cosmic_rays) == 0
    assert made.truth.cosmic_rays.colnames == plain.truth.cosmic_rays.colnames
    assert plain.truth.planes['star'].any()
    assert np.array_equal(made.dq & 16, plain.dq & 16)


def test_interrupted_write_leaves_nothing(
    exposure: SimulatedExposure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is whole or not there."""

    def stop(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fits.HDUList, 'writeto', stop)
    with pytest.raises(KeyboardInterrupt):
        exposure.write(tmp_path / 'a.fits')
    with pytest.raises(KeyboardInterrupt):
        exposure.write_truth(tmp_path / 'b.fits')
    assert list(tmp_path.iterdir()) == []


def test_not_a_truth_file(exposure: SimulatedExposure, tmp_path: Path) -> None:
    """An exposure is no truth file."""
    exposure.write(tmp_path / 'a.fits')
    with pytest.raises(CatalogError, match='not a truth file'):
        read_truth(tmp_path / 'a.fits')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'scene': 'feild'}, "did you mean 'field'"),
        ({'exptime': -1.0}, 'exptime must be positive'),
        ({'shape': (10, 10)}, 'at least 32'),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    """Options that cannot be are named."""
    with pytest.raises(ValueError, match=message):
        simulate_exposure(_CAMERA, seed=1, **options)


def test_demo_camera_needs_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demonstration camera works without any data file."""
    pytest.importorskip('galsim')
    monkeypatch.setenv('ASTROSIEVE_DATA', '/nonexistent')
    exposure = simulate_exposure(load_camera('demo'), seed=1)
    assert exposure.sci.shape == (400, 400)


def _truth(stars: list[tuple[float, ...]] = (), **planes: np.ndarray) -> Truth:
    shape = (30, 30)
    rows = list(stars) or None
    names = ('x', 'y', 'flux', 'snr', 'peak')
    table = Table(rows=rows, names=names) if rows else Table({n: [] for n in names})
    table['saturated'] = np.zeros(len(table), bool)
    return Truth(
        planes={
            name: np.asarray(planes.get(name, np.zeros(shape)), np.float32)
            for name in COMPONENTS
        },
        noise=np.ones(shape, np.float32),
        stars=table,
        galaxies=Table({n: np.zeros(0) for n in ('x', 'y', 'radius')}),
        cosmic_rays=Table(),
        sky=10.0,
        fwhm=2.0,
        full_well=1e5,
    )


def _at(x: int, y: int, value: float) -> np.ndarray:
    plane = np.zeros((30, 30))
    plane[y, x] = value
    return plane


@pytest.mark.parametrize('name', COMPONENTS)
def test_label_is_the_largest_component(name: str) -> None:
    """Each component is recognised within one pixel of its charge."""
    truth = _truth(**{name: _at(10, 12, 100.0)})
    labels = label_positions(truth, [(10, 12), (11.4, 13.4), (10, 14)])
    assert list(labels['label']) == [name, name, 'background']
    assert labels['share'][0] == 1
    assert labels['snr'][0] == pytest.approx(100 / 3)


def test_background_at_three_sigma() -> None:
    """Nine electrons are three times the noise of nine pixels of noise 1."""
    for value, label in ((8.9, 'background'), (9.1, 'cosmic_ray')):
        truth = _truth(cosmic_ray=_at(10, 10, value))
        assert label_positions(truth, [(10, 10)])['label'][0] == label


def test_contested_below_sixty_per_cent() -> None:
    """Where the largest holds less than 60 %, the detection is contested."""
    for value, contested in ((68.0, True), (65.0, False)):
        truth = _truth(
            [(10.0, 10.0, 200.0, 25.0, 50.0)],
            star=_at(10, 10, 100.0), cosmic_ray=_at(11, 10, value),
        )  # fmt: skip
        row = label_positions(truth, [(10, 10)])[0]
        assert row['label'] == 'star'
        assert row['contested'] == contested


def test_background_is_never_contested() -> None:
    """Noise is background, whatever shares it has."""
    truth = _truth(star=_at(5, 5, 1.0), cosmic_ray=_at(5, 5, 1.0))
    assert not label_positions(truth, [(5, 5)])['contested'][0]


def test_star_snr_and_match() -> None:
    """A star's S/N is the true one's, and the brighter of two is matched."""
    truth = _truth(
        [(10.0, 10.0, 100.0, 12.0, 40.0), (11.0, 10.0, 900.0, 55.0, 6e4)],
        star=_at(10, 10, 500.0),
    )
    labels = label_positions(truth, [(10.4, 10), (20, 20)])
    assert labels['star_index'][0] == 1
    assert labels['snr'][0] == 55
    assert labels['star_index'][1] == -1
    assert labels['distance_to_bright'][0] == np.inf
    assert labels['distance_to_bright'][1] == pytest.approx(np.hypot(9, 10))
    assert labels['crowding'][0] == 1


def test_positions_at_and_beyond_the_border() -> None:
    """Pixels outside the chip count nothing."""
    truth = _truth(star=_at(0, 0, 100.0))
    labels = label_positions(truth, [(0, 0), (-0.4, -0.4), (-5, -5), (29, 29)])
    assert list(labels['label'][:2]) == ['star', 'star']
    assert list(labels['label'][2:]) == ['background', 'background']


def test_no_positions() -> None:
    """An empty list gives an empty table with all columns."""
    labels = label_positions(_truth(), np.zeros((0, 2)))
    assert len(labels) == 0
    assert 'contested' in labels.colnames


def test_positions_must_be_finite() -> None:
    """A position of NaN is refused."""
    with pytest.raises(ValueError, match='finite'):
        label_positions(_truth(), [(np.nan, 1)])
