"""What places are by the physics of the combined image, and the names of clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('scipy')

from astrosieve_training.settings import ConfigError
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.light import CombinedImage
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.naming import (
    contested,
    name_clusters,
    name_places,
    split_mixed,
)
from astrosieve_training.source.label.peaks import box_sums, brightest_box
from astrosieve_training.source.label.settings import (
    LabelSettings,
    NamingSettings,
    PeakSettings,
)

FWHM = 2.2
NOISE = 2.0
SNR = (500.0, 150.0, 50.0, 15.0, 8.0)
SETTINGS = NamingSettings()
NO_CORE = np.empty((0, 2))


def gaussian(
    shape: tuple[int, int], x: float, y: float, flux: float, fwhm: float = FWHM
) -> np.ndarray:
    sigma = fwhm / 2.3548
    yy, xx = np.indices(shape)
    radius2 = (xx - x) ** 2 + (yy - y) ** 2
    image: np.ndarray = np.exp(-radius2 / (2 * sigma**2))
    return flux * image / (2 * np.pi * sigma**2)


def add(data: np.ndarray, x: float, y: float, flux: float, fwhm: float = FWHM) -> None:
    """Add a source within 15 pixels of its middle."""
    top, left = max(round(y) - 15, 0), max(round(x) - 15, 0)
    part = data[top : round(y) + 16, left : round(x) + 16]
    part += gaussian((part.shape[0], part.shape[1]), x - left, y - top, flux, fwhm)


def moved(xy: np.ndarray, x: float, y: float) -> np.ndarray:
    there: np.ndarray = xy + np.array([x, y])
    return there


@dataclass(frozen=True)
class Scene:
    """A combined image of known contents; positions are (N, 2), pixels."""

    image: CombinedImage
    stars: np.ndarray
    snr: np.ndarray
    streaks: np.ndarray
    blobs: np.ndarray
    empty: np.ndarray


@pytest.fixture(scope='module')
def scene() -> Scene:
    """Stars of five brightnesses at all phases, streaks, galaxies, and empty sky."""
    rng = np.random.default_rng(4)
    shape = (640, 640)
    data = rng.normal(100, NOISE, shape)
    grid = np.array([(x, y) for y in range(20, 620, 25) for x in range(20, 620, 25)])
    grid = rng.permutation(grid).astype(float)
    stars = grid[:250] + rng.uniform(-0.5, 0.5, (250, 2))
    snr = np.resize(SNR, len(stars))
    for (x, y), each in zip(stars, snr, strict=True):
        # S/N in 3x3 pixels, which hold 0.8 of the light.
        add(data, x, y, each * 3 * NOISE / 0.8)
    streaks, blobs, empty = grid[250:310], grid[310:370], grid[370:450]
    for x, y in streaks.astype(int):
        for step in range(-5, 6):
            data[y + step, x + step] += 40 * NOISE
    for x, y in blobs:  # galaxies seen from the side
        for step in np.linspace(-6, 6, 13):
            add(data, x + step, y - step / 3, 300 * NOISE, fwhm=4.0)
    image = CombinedImage(data.astype(np.float32))
    assert image.learn_psf(grid[:450], np.ones(450, dtype=bool)) >= 20
    return Scene(image, stars, snr, streaks, blobs, empty)


@pytest.mark.parametrize(
    'given',
    [
        {'absent': 0.0},
        {'present': 1.0},
        {'psf_like': float('nan')},
        {'blended': 1.2},
        {'core': 0.0},
        {'halo': -0.1},
        {'alone': 0.0},
        {'stars': 1.0},
        {'hit': 0.0},
        {'noise': 1.0},
    ],
)
def test_settings_have_limits(given: dict[str, float]) -> None:
    """All are shares."""
    (name,) = given
    with pytest.raises(ConfigError, match=f'{name} must be above 0 and below 1'):
        NamingSettings(**given)


def test_settings_in_order() -> None:
    """What is absent is not present, a hit not noise."""
    with pytest.raises(ConfigError, match=r'absent must be 0.6 \(present\) .* 0.7'):
        NamingSettings(absent=0.7)
    with pytest.raises(ConfigError, match=r'hit must be 0.8 \(noise\) .* 0.9'):
        NamingSettings(hit=0.9)
    with pytest.raises(ConfigError, match=r'alone must be 0.5 \(halo\) .* 0.6'):
        NamingSettings(alone=0.6)
    with pytest.raises(ConfigError, match='alike must be positive'):
        NamingSettings(alike=0.0)
    assert NamingSettings(hit=0.3, noise=0.3).noise == 0.3


class TestImage:
    """The combined image itself."""

    def test_scale_and_level_do_not_matter(self, scene: Scene) -> None:
        """S/N of stars as given, in any unit and above any sky."""
        rng = np.random.default_rng(0)
        data = rng.normal(0, 1, (200, 200)) + gaussian((200, 200), 80, 90, 500.0)
        xy = np.array([[80.0, 90.0], [30.0, 30.0]])
        first = CombinedImage(data.astype(np.float32)).measure(xy)
        other = CombinedImage((1e-3 * data + 7).astype(np.float32)).measure(xy)
        assert first['snr'][0] == pytest.approx(0.82 * 500 / 3, rel=0.1)
        assert abs(first['snr'][1]) < 3
        for name in first.colnames:
            np.testing.assert_allclose(first[name], other[name], atol=0.02, rtol=1e-2)
        measured = scene.image.measure(scene.stars)
        ratio = np.asarray(measured['snr'])[scene.snr > 40] / scene.snr[scene.snr > 40]
        assert np.median(ratio) == pytest.approx(1, abs=0.1)

    def test_nan(self, scene: Scene) -> None:
        """What was not combined is empty, and spoils nothing else."""
        data = scene.image.image + 100
        data[:, 400:] = np.nan
        image = CombinedImage(data)
        assert np.isfinite(image.image).all()
        assert image.noise == pytest.approx(scene.image.noise, rel=0.05)
        left = scene.stars[:, 0] < 380
        np.testing.assert_allclose(
            image.measure(scene.stars[left])['snr'],
            scene.image.measure(scene.stars[left])['snr'],
            rtol=0.1,
            atol=1,
        )
        assert (image.measure(scene.stars[scene.stars[:, 0] > 410])['snr'] == 0).all()

    @pytest.mark.parametrize('value', [0.0, 17.0, np.nan])
    def test_empty(self, value: float) -> None:
        """An image of one value is none."""
        with pytest.raises(LabelError, match=r'no noise: it is empty.*--combined'):
            CombinedImage(np.full((50, 50), value, dtype=np.float32))

    def test_light(self, scene: Scene) -> None:
        """S/N above the sky: of stars what they have, of empty sky unit noise."""
        stars = np.asarray(scene.snr > 40)
        ratio = scene.image.light(scene.stars)[stars] / scene.snr[stars]
        assert np.median(ratio) == pytest.approx(1, abs=0.1)
        empty = scene.image.light(scene.empty)
        assert empty.mean() == pytest.approx(0, abs=0.4)
        assert empty.std() == pytest.approx(1, abs=0.2)
        assert np.isnan(scene.image.light(np.array([[-1.0, 5.0], [5.0, 640.0]]))).all()

    def test_sums(self, scene: Scene) -> None:
        """Both boxes are those of the image above its sky."""
        xy = np.concatenate([scene.stars, scene.empty])
        image = scene.image.image
        assert abs(np.median(image)) < 0.1
        np.testing.assert_array_equal(scene.image.box_sums(xy), box_sums(image, xy))
        np.testing.assert_array_equal(
            scene.image.brightest_box(xy), brightest_box(image, xy)
        )
        np.testing.assert_allclose(
            scene.image.light(xy), box_sums(image, xy) / (3 * scene.image.noise)
        )

    def test_noise_is_the_rings(self) -> None:
        """Where what is around varies more than the sky, a source stands out less."""
        rng = np.random.default_rng(3)
        data = rng.normal(0, 1, (400, 400))
        data[300:, 300:] += rng.normal(0, 5, (100, 100))
        xy = np.array([(x, y) for y in range(10, 400, 15) for x in range(10, 400, 15)])
        for x, y in xy:
            data[y - 1 : y + 2, x - 1 : x + 2] += 20
        image = CombinedImage(data.astype(np.float32))
        snr = np.asarray(image.measure(xy.astype(float))['snr'])
        light = image.light(xy.astype(float))
        rough = (xy > 306).all(axis=1)
        quiet = (xy < 290).any(axis=1)
        # Of like spreads the larger is taken.
        assert np.median(snr[quiet]) == pytest.approx(60, rel=0.12)
        assert np.median(snr[rough]) == pytest.approx(60 / np.hypot(1, 5), rel=0.12)
        for each in (quiet, rough):
            assert np.median(light[each]) == pytest.approx(60, rel=0.1)

    def test_offset(self, scene: Scene) -> None:
        """How far the brightest of the central pixels is."""
        stars = np.round(scene.stars[scene.snr > 100])
        for shift in ((0, 0), (1, 0), (-2, 1)):
            found = scene.image.measure(stars - shift)['offset']
            assert np.median(found) == pytest.approx(np.hypot(*shift))


class TestElectrons:
    """The factor between an exposure and the combined image."""

    def test_factor(self, scene: Scene) -> None:
        """From sources alone, whatever part of the peaks are rays."""
        rng = np.random.default_rng(1)
        xy = np.concatenate([scene.stars, scene.empty])
        true = 3.7 * brightest_box(scene.image.image, xy)
        true[: len(scene.stars)] *= rng.normal(1, 0.05, len(scene.stars))
        true[len(scene.stars) :] = 5000
        saturated = np.zeros(len(xy), dtype=bool)
        saturated[:40] = True
        true[:40] *= 0.1
        factor = scene.image.electrons_per_unit(xy, true, saturated)
        assert factor == pytest.approx(3.7, rel=0.02)

    def test_too_few(self, scene: Scene) -> None:
        """Their number is said, with the causes."""
        no = np.zeros(len(scene.empty), dtype=bool)
        with pytest.raises(LabelError, match=r'only 0 peaks .* at least 10 .* aligned'):
            scene.image.electrons_per_unit(scene.empty, np.ones(len(no)), no)
        # Stars of another pointing.
        there = moved(scene.stars, 11.0, 9.0)
        no = np.zeros(len(there), dtype=bool)
        with pytest.raises(LabelError, match='another field'):
            scene.image.electrons_per_unit(there, np.ones(len(no)), no)


class TestPSF:
    """The PSF that the image shows, and what is like it."""

    def test_learnt(self, scene: Scene) -> None:
        """Its width is the stars', to a tenth, as are its pixels."""
        assert scene.image.psf is not None
        assert scene.image.fwhm == pytest.approx(FWHM, rel=0.1)
        model = gaussian((11, 11), 5, 5, 1.0, fwhm=np.hypot(FWHM, 0.9))
        model /= model[4:7, 4:7].sum()
        assert np.abs(scene.image.psf - model).max() < 0.03

    def test_too_few_stars(self, scene: Scene) -> None:
        """Their number, and what to do."""
        image = CombinedImage(scene.image.image)
        with pytest.raises(LabelError, match=r'only 0 isolated stars .* richer field'):
            image.learn_psf(scene.empty, np.ones(len(scene.empty), dtype=bool))
        few = scene.stars[:4]
        with pytest.raises(LabelError, match='isolated stars show the PSF'):
            image.learn_psf(few, np.ones(4, dtype=bool))
        with pytest.raises(LabelError, match='only 0 isolated'):
            image.learn_psf(scene.stars, np.zeros(len(scene.stars), dtype=bool))

    @pytest.mark.parametrize('snr', SNR)
    def test_stars_are_alike(self, scene: Scene, snr: float) -> None:
        """About 1 at any S/N and phase."""
        compared = scene.image.compare_psf(scene.stars[scene.snr == snr])
        likeness = np.asarray(compared['psf_likeness'])
        assert np.median(likeness) == pytest.approx(1, abs=0.08)
        assert (likeness > 0.7).mean() >= 0.95

    @pytest.mark.parametrize('snr', SNR)
    def test_spread_of_stars(self, scene: Scene, snr: float) -> None:
        """About 0, with an error of 1 at most."""
        spread = scene.image.compare_psf(scene.stars[scene.snr == snr])['spread']
        assert np.median(spread) == pytest.approx(0, abs=0.6)
        assert np.std(spread) < 1.5

    @pytest.mark.parametrize('fwhm', [2.6, 3.0, 5.0])
    def test_spread_of_galaxies(self, scene: Scene, fwhm: float) -> None:
        """Grows with their width and their S/N."""
        xy = np.array([(x, y) for y in range(20, 390, 25) for x in range(20, 390, 25)])
        xy = xy + np.random.default_rng(1).uniform(-0.5, 0.5, xy.shape)
        found = []
        for snr in (10, 30, 90):
            data = np.random.default_rng(snr).normal(0, NOISE, (400, 400))
            for x, y in xy:
                add(data, x, y, snr * 3 * NOISE / 0.6, fwhm)
            image = CombinedImage(data.astype(np.float32))
            image.psf, image.locus = scene.image.psf, scene.image.locus
            found.append(float(np.median(image.compare_psf(xy)['spread'])))
        assert found[0] > 0.3
        assert found[1] > 2 * found[0]
        assert found[2] > found[1]

    def test_narrower(self, scene: Scene) -> None:
        """Single pixels are narrower than any star."""
        data = scene.image.image.copy()
        for x, y in scene.empty.astype(int):
            data[y, x] += 60 * NOISE
        image = CombinedImage(data)
        image.psf, image.locus = scene.image.psf, scene.image.locus
        assert (image.compare_psf(scene.empty)['spread'] < -4).mean() > 0.95
        names = physics(replace(scene, image=image), places_at(scene.empty))
        assert (names == 'bad_pixel').mean() > 0.95
        assert (physics(scene, places_at(scene.stars)) != 'bad_pixel').all()

    def test_galaxies_do_not_make_the_psf(self, scene: Scene) -> None:
        """Of four times as many compact galaxies of all widths, none is like it."""
        rng = np.random.default_rng(9)
        data = rng.normal(0, NOISE, (640, 640))
        xy = np.array([(x, y) for y in range(20, 620, 25) for x in range(20, 620, 25)])
        xy = rng.permutation(xy).astype(float) + rng.uniform(-0.5, 0.5, xy.shape)
        star = np.arange(len(xy)) % 5 == 0
        width = np.where(star, FWHM, rng.uniform(1.3, 3, len(xy)) * FWHM)
        for (x, y), fwhm in zip(xy, width, strict=True):
            add(data, x, y, 200 * 3 * NOISE * fwhm / FWHM, fwhm)
        image = CombinedImage(data.astype(np.float32))
        assert 60 < image.learn_psf(xy, np.ones(len(xy), dtype=bool)) < 200
        assert image.fwhm == pytest.approx(FWHM, rel=0.15)
        compared = image.compare_psf(xy)
        assert (np.abs(compared['spread'][star]) < 4).mean() > 0.95
        wide = ~star & (width > 1.5 * FWHM)
        assert compared['broad'][wide].mean() > 0.95

    def test_broad(self, scene: Scene) -> None:
        """Round galaxies are, nearly no star is, a star with a neighbour is not."""
        broad = np.asarray(scene.image.compare_psf(scene.stars)['broad'])
        assert not broad[scene.snr >= 150].any()
        assert broad.mean() < 0.05
        rng = np.random.default_rng(5)
        data = rng.normal(0, NOISE, (500, 500))
        xy = np.array([(x, y) for y in range(20, 490, 25) for x in range(20, 490, 25)])
        xy = xy + rng.uniform(-0.5, 0.5, xy.shape)
        pair = np.arange(len(xy)) % 2 == 0
        for (x, y), star in zip(xy, pair, strict=True):
            fwhm = FWHM if star else 3.5
            add(data, x, y, 150 * 3 * NOISE, fwhm)
            if star:
                add(data, x + 3.5, y, 75 * 3 * NOISE)
        image = CombinedImage(data.astype(np.float32))
        image.psf, image.locus = scene.image.psf, scene.image.locus
        broad = np.asarray(image.compare_psf(xy)['broad'])
        assert broad[pair].mean() < 0.05
        assert broad[~pair].mean() > 0.95

    def test_others_are_not(self, scene: Scene) -> None:
        """Neither streaks nor galaxies."""
        for xy in (scene.streaks, scene.blobs):
            assert (scene.image.compare_psf(xy)['psf_likeness'] < 0.7).mean() > 0.9
        # Beside a star, where its own core is off the centre.
        bright = scene.stars[scene.snr == 500]
        beside = scene.image.compare_psf(moved(bright, 3.0, 0.0))
        assert (beside['psf_likeness'] < 0.6).all()

    def test_halo(self, scene: Scene) -> None:
        """Beside a star all light is its own; its core, and others, are not."""
        bright = scene.stars[scene.snr == 500]
        near = scene.image.halo(moved(bright, 3.0, 0.0), NO_CORE)
        assert np.median(near) == pytest.approx(1, abs=0.2)
        assert np.median(scene.image.halo(bright, NO_CORE)) < 0.01
        assert np.median(scene.image.halo(scene.blobs, NO_CORE)) < 0.1

    def test_beside_edge(self) -> None:
        """By the light at an edge of the data, of the image or of what was combined."""
        data = np.random.default_rng(2).normal(0, NOISE, (300, 300))
        y, x = np.indices(data.shape)
        data += 3e5 / (1 + np.hypot(x + 10, y - 150) ** 2)
        xy = np.array([(20.0, 150.0), (40.0, 150.0), (150.0, 150.0), (280.0, 20.0)])
        for image, aside in (
            (data, 0.0),
            (np.pad(data, 20, constant_values=np.nan), 20),
        ):
            found = CombinedImage(image.astype(np.float32)).beside_edge(xy + aside)
            assert found.tolist() == [True, True, False, False]
        flat = CombinedImage(data[:, 100:].astype(np.float32))
        assert not flat.beside_edge(xy[:2]).any()
        assert len(flat.beside_edge(np.empty((0, 2)))) == 0

    def test_halo_without_bright_stars(self, scene: Scene) -> None:
        """There is none."""
        rng = np.random.default_rng(0)
        image = CombinedImage(rng.normal(0, 1, (60, 60)).astype(np.float32))
        image.psf = scene.image.psf
        there = np.array([[30.0, 30.0], [3.0, 3.0]])
        assert (image.halo(there, NO_CORE) == 0).all()


def places_at(
    xy: np.ndarray,
    share: float = 1.0,
    *,
    saturated: bool = False,
    off_core: float = np.nan,
    n_found: int = 4,
) -> Table:
    n = len(xy)
    return Table(
        {
            'x': xy[:, 0],
            'y': xy[:, 1],
            'share': np.full(n, share),
            'saturated': np.full(n, saturated),
            'off_core': np.full(n, off_core),
            'n_found': np.full(n, n_found),
            'n_covering': np.full(n, 4),
        }
    )


def physics(
    scene: Scene,
    places: Table,
    *,
    settings: NamingSettings = SETTINGS,
    min_snr: float = 5.0,
) -> np.ndarray:
    named = name_places(scene.image, places, NO_CORE, settings, min_snr=min_snr)
    return np.asarray(named['physics'], dtype=str)


class TestName:
    """Names of places."""

    def test_names(self, scene: Scene) -> None:
        """By share, width and halo."""
        bright = scene.stars[scene.snr == 500]
        stars = scene.stars[scene.snr >= 50]
        for xy, share, expected in (
            (stars, 1.0, 'star'),
            (stars, 0.5, UNLABELLED),
            (stars, 0.1, 'cosmic_ray'),
            (scene.empty, 0.01, 'cosmic_ray'),
            (scene.blobs, 1.0, 'extended'),
            (scene.blobs, 0.5, UNLABELLED),
            (moved(bright, 3.0, 0.0), 1.0, 'spike'),
        ):
            names = physics(scene, places_at(xy, share))
            assert (names == expected).mean() > 0.9, expected

    def test_columns(self, scene: Scene) -> None:
        """What decided is returned."""
        xy = np.concatenate([scene.stars, scene.blobs])
        named = name_places(scene.image, places_at(xy), NO_CORE, SETTINGS, min_snr=5.0)
        columns = {'snr', 'psf_likeness', 'spread', 'broad', 'halo', 'physics'}
        assert set(named.colnames) == columns
        np.testing.assert_array_equal(named['snr'], scene.image.measure(xy)['snr'])
        compared = scene.image.compare_psf(xy)
        for name in compared.colnames:
            np.testing.assert_array_equal(named[name], compared[name])
        np.testing.assert_array_equal(named['halo'], scene.image.halo(xy, NO_CORE))

    def test_stars_stand_out(self, scene: Scene) -> None:
        """What is like the PSF is a star only with enough S/N above its ring."""
        faint = scene.stars[scene.snr == 8]
        snr = np.asarray(scene.image.measure(faint)['snr'])
        for min_snr in (3.0, 7.0, 30.0):
            star = physics(scene, places_at(faint), min_snr=min_snr) == 'star'
            assert not star[snr < min_snr].any()
            assert star[snr >= min_snr].sum() >= 0.8 * (snr >= min_snr).sum()

    def test_stars_are_found(self, scene: Scene) -> None:
        """By half of the exposures that look."""
        stars = scene.stars[scene.snr >= 50]
        names = [physics(scene, places_at(stars, n_found=n)) for n in (1, 2)]
        assert 'star' not in names[0]
        assert (names[1] == 'star').mean() > 0.9

    def test_on_light(self, scene: Scene) -> None:
        """Peaks of noise on broad light are extended, those on nothing are not."""
        rng = np.random.default_rng(7)
        data = scene.image.image.copy()
        data[:300, :300] += gaussian((300, 300), 150, 150, 2e6, fwhm=120.0)
        image = CombinedImage(data)
        image.psf, image.locus = scene.image.psf, scene.image.locus
        xy = rng.uniform(120, 180, (40, 2))
        clear = np.hypot(*(scene.stars - xy[:, None]).T).min(axis=0) > 9
        clear &= np.hypot(*(scene.streaks - xy[:, None]).T).min(axis=0) > 12
        lit = physics(replace(scene, image=image), places_at(xy[clear]))
        assert (lit == 'extended').mean() > 0.9
        assert (physics(scene, places_at(scene.empty)) != 'extended').mean() > 0.9

    def test_galaxies_are_not_stars(self, scene: Scene) -> None:
        """
        Where faint galaxies that are hardly broader are common, what is as broad as
        they are has no name; elsewhere it is a star.
        """
        rng = np.random.default_rng(8)
        xy = np.array([(x, y) for y in range(20, 490, 25) for x in range(20, 490, 25)])
        xy = rng.permutation(xy) + rng.uniform(-0.5, 0.5, xy.shape)
        galaxy = np.arange(len(xy)) % 2 == 0
        shares = []
        for wide in (True, False):
            data = rng.normal(0, NOISE, (500, 500))
            for (x, y), each in zip(xy, galaxy & wide, strict=True):
                add(data, x, y, 20 * 3 * NOISE / 0.75, 2.75 if each else FWHM)
            image = CombinedImage(data.astype(np.float32))
            image.psf, image.locus = scene.image.psf, scene.image.locus
            names = physics(replace(scene, image=image), places_at(xy))
            shares.append(
                [(names[rows] == 'star').mean() for rows in (galaxy, ~galaxy)]
            )
        assert shares[0][0] < 0.2
        assert shares[0][1] > 0.4
        assert min(shares[1]) > 0.9

    @pytest.mark.parametrize(
        ('widths', 'expected'),
        [
            (0.0, 'star'),
            (0.74, 'star'),
            (0.76, UNLABELLED),
            (1.49, UNLABELLED),
            (1.51, 'spike'),
            (30.0, 'spike'),
        ],
    )
    def test_saturated(self, scene: Scene, widths: float, expected: str) -> None:
        """By the distance from the core, in widths of the PSF, and by nothing else."""
        off_core = widths * scene.image.fwhm
        bright = scene.stars[scene.snr == 500]
        for xy in (bright, scene.blobs, scene.empty, moved(bright, 4.0, 0.0)):
            places = places_at(xy, saturated=True, off_core=off_core)
            assert set(physics(scene, places, min_snr=1e6)) == {expected}

    def test_saturated_once(self, scene: Scene) -> None:
        """A ray that saturates is one, and what is contested stays so."""
        for off_core in (0.0, 2.5, 9.0):
            for share, expected in ((0.1, 'cosmic_ray'), (0.5, UNLABELLED)):
                places = places_at(
                    scene.stars, share, saturated=True, off_core=off_core
                )
                assert set(physics(scene, places)) == {expected}

    def test_core_is_the_settings(self, scene: Scene) -> None:
        """Another limit moves both."""
        settings = NamingSettings(core=0.5)
        for widths, expected in ((0.49, 'star'), (0.7, UNLABELLED), (1.01, 'spike')):
            places = places_at(
                scene.stars, saturated=True, off_core=widths * scene.image.fwhm
            )
            assert set(physics(scene, places, settings=settings)) == {expected}

    def test_none(self, scene: Scene) -> None:
        """No place, no row."""
        assert len(physics(scene, places_at(np.empty((0, 2))))) == 0


def blobs(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points of blobs far from each other, and their numbers."""
    rng = np.random.default_rng(6)
    points = [rng.normal((20 * i, 0), 1.0, (n, 2)) for i, n in enumerate(counts)]
    return np.concatenate(points), np.repeat(np.arange(len(counts)), counts)


class TestSplit:
    """Clusters of several kinds."""

    def test_divides(self) -> None:
        """Halves of one cluster become two, the largest first."""
        points, _ = blobs(600)
        names = np.where(points[:, 0] > 0.4, 'star', 'cosmic_ray')
        found = split_mixed(
            points, np.zeros(600, dtype=int), names, n_neighbors=15, min_size=30
        )
        assert set(found) == {0, 1}
        assert (found == 0).sum() >= (found == 1).sum()
        assert ((found == 1) == (names == 'star')).mean() > 0.93

    def test_pure_clusters_stay(self) -> None:
        """But are numbered by size."""
        points, numbers = blobs(100, 300, 200)
        names = np.array(['star', 'cosmic_ray', 'star'])[numbers]
        found = split_mixed(points, numbers, names, n_neighbors=15, min_size=30)
        np.testing.assert_array_equal(found, np.array([2, 0, 1])[numbers])

    def test_scattered_members_join(self) -> None:
        """A tenth that lies everywhere makes no part."""
        points, numbers = blobs(500)
        names = np.full(500, 'star', dtype='U12')
        names[::10] = 'spike'
        found = split_mixed(points, numbers, names, n_neighbors=15, min_size=30)
        assert (found == 0).all()

    def test_small_parts_join(self) -> None:
        """What is less than the smallest part stays with its cluster."""
        points, numbers = blobs(400)
        names = np.full(400, 'star', dtype='U12')
        corner = np.argsort(points[:, 0])[-25:]
        names[corner] = 'spike'
        for min_size, parts in ((30, 1), (10, 2)):
            found = split_mixed(
                points, numbers, names, n_neighbors=7, min_size=min_size
            )
            assert len(set(found)) == parts

    def test_small_clusters_stay(self) -> None:
        """A cluster smaller than the smallest part is none the less one."""
        points, numbers = blobs(100, 12)
        names = np.array(['star', 'spike'])[numbers]
        found = split_mixed(points, numbers, names, n_neighbors=15, min_size=30)
        np.testing.assert_array_equal(found, numbers)
        names[-5:] = 'star'
        found = split_mixed(points, numbers, names, n_neighbors=3, min_size=30)
        np.testing.assert_array_equal(found, numbers)

    def test_unlabelled_do_not_vote(self) -> None:
        """They go with what is around them."""
        points, numbers = blobs(400)
        names = np.full(400, 'star', dtype='U12')
        names[np.random.default_rng(0).permutation(400)[:200]] = UNLABELLED
        found = split_mixed(points, numbers, names, n_neighbors=15, min_size=30)
        assert (found == 0).all()
        found = split_mixed(
            points, numbers, np.full(400, UNLABELLED), n_neighbors=15, min_size=30
        )
        assert (found == 0).all()

    def test_no_cluster(self) -> None:
        """-1 stays -1."""
        points, numbers = blobs(100, 50)
        numbers = np.where(numbers == 1, -1, 0)
        names = np.full(150, 'star')
        found = split_mixed(points, numbers, names, n_neighbors=15, min_size=30)
        np.testing.assert_array_equal(found, numbers)
        none = np.full(150, -1)
        found = split_mixed(points, none, names, n_neighbors=15, min_size=30)
        np.testing.assert_array_equal(found, none)


def test_name_clusters() -> None:
    """By most members that have a name; by none, unlabelled; -1 is no cluster."""
    clusters = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 2, -1])
    names = np.array(
        [UNLABELLED] * 3 + ['spike', 'spike'] + [UNLABELLED] * 2
        + ['star', 'cosmic_ray', 'cosmic_ray', 'star']
    )  # fmt: skip
    assert name_clusters(clusters, names) == {
        0: 'spike',
        1: UNLABELLED,
        2: 'cosmic_ray',
    }
    assert name_clusters(np.full(3, -1), names[:3]) == {}


class TestContested:
    """Places whose physics contradicts their cluster."""

    NAMED: ClassVar[dict[int, str]] = {
        0: 'star',
        1: 'cosmic_ray',
        2: 'spike',
        3: 'unlabelled',
    }

    @staticmethod
    def judged(cluster: int, physics: str, **given: Any) -> tuple[bool, str]:
        """Return whether one place is contested, and what is sure of it."""
        values = {
            'psf_likeness': 1.0, 'snr': 50.0, 'saturated': False, 'spread': 0.0,
            'halo': 0.0, 'always': False, 'n_found': 1, 'n_covering': 4,
        }  # fmt: skip
        settings = given.pop('settings', LabelSettings())
        values |= {'physics': physics} | given
        places = Table({name: [value] for name, value in values.items()})
        doubtful, sure = contested(
            np.array([cluster]), TestContested.NAMED, places, settings
        )
        return bool(doubtful[0]), str(sure[0])

    @pytest.mark.parametrize('cluster', [1, 2, -1])
    def test_stars_elsewhere(self, cluster: int) -> None:
        """They are contested, unless most exposures find them, or they saturate."""
        assert self.judged(cluster, 'star') == (True, '')
        assert self.judged(cluster, 'star', always=True) == (True, 'star')
        assert self.judged(cluster, 'star', saturated=True) == (True, 'star')
        assert self.judged(cluster, 'unlabelled', always=True) == (True, '')

    @pytest.mark.parametrize('physics', ['spike', 'extended', 'bad_pixel'])
    def test_sure_of_others(self, physics: str) -> None:
        """They need no cluster of theirs, and have no other's name."""
        for cluster in (0, 1, 3, -1):
            assert self.judged(cluster, physics, always=True) == (True, physics)
        expected = (False, '') if physics == 'spike' else (True, physics)
        assert self.judged(2, physics) == expected

    def test_among_others(self) -> None:
        """Rays among spikes are rays; among rays and stars they need no help."""
        assert self.judged(2, 'cosmic_ray') == (True, 'cosmic_ray')
        assert self.judged(1, 'cosmic_ray') == (False, '')
        assert self.judged(0, 'cosmic_ray') == (False, '')

    @pytest.mark.parametrize(
        ('n_found', 'n_covering', 'snr', 'star'),
        [
            (2, 4, 10.0, True), (2, 4, 9.9, False), (1, 4, 50.0, False),
            (2, 5, 50.0, False), (3, 5, 50.0, True), (1, 2, 50.0, False),
            (2, 2, 50.0, True),
        ],
    )  # fmt: skip
    def test_bright_stars_elsewhere(
        self, n_found: int, n_covering: int, snr: float, star: bool
    ) -> None:
        """They need half of the exposures, and two of them."""
        given = {'n_found': n_found, 'n_covering': n_covering, 'snr': snr}
        assert self.judged(2, 'star', **given) == (True, 'star' if star else '')
        assert self.judged(2, 'unlabelled', **given) == (True, '')

    def test_among_stars(self) -> None:
        """What is unlike them in any way, or in another's light, is none."""
        for given, left_out in (
            ({}, False),
            ({'psf_likeness': 0.6}, False),
            ({'psf_likeness': 0.59}, True),
            ({'snr': 5.0}, False),
            ({'snr': 4.9}, True),
            ({'saturated': True}, True),
            ({'spread': 4.1}, True),
            ({'spread': -4.1}, True),
            ({'halo': 0.21}, True),
        ):
            for physics in ('cosmic_ray', 'unlabelled'):
                found = self.judged(0, physics, always=True, **given)
                assert found == (left_out, '')
            assert self.judged(0, 'star', always=True, **given) == (False, '')

    def test_limits_are_the_settings(self) -> None:
        """Of likeness, of S/N and of others' light."""
        settings = LabelSettings(
            naming=NamingSettings(blended=0.4, alone=0.3),
            peaks=PeakSettings(min_snr=10),
        )
        for given, left_out in (
            ({'psf_likeness': 0.5}, False),
            ({'psf_likeness': 0.39}, True),
            ({'snr': 9.0}, True),
            ({'halo': 0.29}, False),
            ({'halo': 0.31}, True),
        ):
            found = self.judged(0, 'unlabelled', settings=settings, **given)
            assert found == (left_out, '')

    def test_many(self) -> None:
        """Each place by its own cluster; several clusters may be of stars."""
        named = {0: 'star', 1: 'cosmic_ray', 2: 'star'}
        clusters = np.array([0, 1, 2, -1, 1])
        places = Table(
            {
                'physics': ['spike', 'star', 'unlabelled', 'star', 'cosmic_ray'],
                'psf_likeness': [0.2, 1.0, 0.9, 1.0, 0.0],
                'snr': [50.0, 50.0, 50.0, 50.0, 0.0],
                'saturated': [False] * 5,
                'spread': [0.0] * 5,
                'halo': [0.9, 0.0, 0.0, 0.0, 0.0],
                'always': [True, True, True, False, False],
                'n_found': [4, 4, 4, 1, 1],
                'n_covering': [4] * 5,
            }
        )
        doubtful, sure = contested(clusters, named, places, LabelSettings())
        assert doubtful.tolist() == [True, True, False, True, False]
        assert sure.tolist() == ['spike', 'star', '', '', '']
