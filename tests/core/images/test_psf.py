"""Width of the point-spread function."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.images.psf import estimate_fwhm, find_psf_stars


def gaussian(radius2: np.ndarray, fwhm: float) -> np.ndarray:
    return np.exp(-4 * np.log(2) * radius2 / fwhm**2)


def moffat(radius2: np.ndarray, fwhm: float, beta: float = 3.0) -> np.ndarray:
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    return (1 + radius2 / alpha2) ** -beta


def width_on_pixels(profile, fwhm: float) -> float:
    """Return the FWHM of a profile that pixels have widened."""
    fine = (np.arange(25) - 12) / 25

    def value(offset: float) -> float:
        return profile(np.add.outer(fine**2, (fine + offset) ** 2), fwhm).mean()

    offsets = np.linspace(0, 5, 2001)
    values = np.array([value(offset) for offset in offsets])
    return 2 * float(offsets[values > values[0] / 2].max())


def field(profile, fwhm: float, *, n_stars: int = 150, seed: int = 0) -> np.ndarray:
    """Return 400x400 pixels of stars at random places, integrated over pixels."""
    rng = np.random.default_rng(seed)
    image = rng.normal(50, 4, (400, 400))
    steps = np.arange(-12, 13)
    fine = (np.arange(5) - 2) / 5
    grid = (steps[:, None] + fine).ravel()
    for flux in 10 ** rng.uniform(3, 5.3, n_stars):
        x, y = rng.uniform(14, 386, 2)
        ix, iy = round(x), round(y)
        radius2 = np.add.outer((grid + iy - y) ** 2, (grid + ix - x) ** 2)
        star = profile(radius2, fwhm).reshape(25, 5, 25, 5).mean(axis=(1, 3))
        image[iy - 12 : iy + 13, ix - 12 : ix + 13] += flux * star / star.sum()
    return image.astype(np.float32)


def add_hits(image: np.ndarray, n_hits: int, seed: int = 1) -> None:
    """Add cosmic-ray-like tracks of one to eight pixels."""
    rng = np.random.default_rng(seed)
    for _ in range(n_hits):
        x, y = rng.uniform(10, 390, 2)
        angle, length = rng.uniform(0, 2 * np.pi), rng.exponential(3)
        for step in np.arange(0, length, 0.5):
            row = round(y + step * np.sin(angle)) % 400
            column = round(x + step * np.cos(angle)) % 400
            image[row, column] += rng.gamma(2, 400)


@pytest.mark.parametrize('profile', [gaussian, moffat])
@pytest.mark.parametrize('fwhm', [1.5, 2.0, 2.5, 3.0, 4.0])
def test_width_in_spite_of_hits(profile, fwhm: float) -> None:
    """Within 6 % on fields with as many hits and hot pixels as stars."""
    image = field(profile, fwhm)
    add_hits(image, 150)
    rng = np.random.default_rng(2)
    image[rng.integers(0, 400, 80), rng.integers(0, 400, 80)] += 3000
    assert estimate_fwhm(image) == pytest.approx(
        width_on_pixels(profile, fwhm), rel=0.06
    )


def test_the_stars_that_say_it() -> None:
    """They are peaks of stars, the brightest first; hits are not among them."""
    image, hits = field(moffat, 2.5), field(moffat, 2.5)
    add_hits(hits, 150)
    places = find_psf_stars(hits).places
    assert len(places) > 10
    x, y = places.T
    assert hits[y, x][:5].min() > np.median(hits[y, x])
    boxes = [image[b - 1 : b + 2, a - 1 : a + 2] for a, b in places]
    assert np.mean([box.argmax() == 4 for box in boxes]) > 0.9
    assert find_psf_stars(field(moffat, 2.0, n_stars=0)) is None


@pytest.mark.parametrize('fwhm', [1.0, 1.2, 1.5])
def test_undersampled_stars_do_not_seem_wide(fwhm: float) -> None:
    """Within 4 %, where the brightest 3x3 pixels alone say up to a fifth more."""
    image = field(moffat, fwhm)
    expected = width_on_pixels(moffat, fwhm)
    assert estimate_fwhm(image) == pytest.approx(expected, rel=0.04)


def test_width_that_pixels_seem_to_have() -> None:
    """A seventh more for undersampled stars with wings, the same for others."""
    narrow, wide = (find_psf_stars(field(moffat, width)) for width in (1.2, 3.0))
    assert narrow.apparent_fwhm / narrow.fwhm == pytest.approx(1.13, abs=0.05)
    assert wide.apparent_fwhm == pytest.approx(wide.fwhm, rel=0.03)


@pytest.mark.parametrize('trail', [1.2, 2.0])
def test_stars_of_a_telescope_that_drifts(trail: float) -> None:
    """Stars that are all long in one direction have a width; hits have none."""
    offsets = np.linspace(-trail / 2, trail / 2, 9) / np.sqrt(2)
    rng = np.random.default_rng(6)
    image = rng.normal(50, 4, (400, 400))
    y, x = np.mgrid[-12:13, -12:13]
    for flux in 10 ** rng.uniform(3, 5.3, 150):
        x0, y0 = rng.uniform(14, 386, 2)
        ix, iy = round(x0), round(y0)
        star = sum(
            gaussian((x + ix - x0 - d) ** 2 + (y + iy - y0 - d) ** 2, 2.0)
            for d in offsets
        )
        image[iy - 12 : iy + 13, ix - 12 : ix + 13] += flux * star / star.sum()
    add_hits(image, 100)
    along = np.hypot(2.0, trail)
    found = estimate_fwhm(image.astype(np.float32))
    assert found == pytest.approx(np.sqrt(2.0 * along), rel=0.1)


def test_sky_and_scale_change_nothing() -> None:
    """The width is that of the shape, in any unit, on any sky."""
    image = field(gaussian, 2.2)
    expected = estimate_fwhm(image)
    assert estimate_fwhm(image * 0.001) == pytest.approx(expected, rel=1e-3)
    assert estimate_fwhm(image - 1000) == pytest.approx(expected, rel=1e-3)


def test_saturated_stars_do_not_count() -> None:
    """Flat tops leave the answer alone."""
    image = field(gaussian, 2.2)
    expected = estimate_fwhm(image)
    assert estimate_fwhm(image.clip(max=5000)) == pytest.approx(expected, rel=0.05)


def test_spoilt_pixels_do_not_count() -> None:
    """Nor do masked pixels, and NaN costs no more than its surroundings."""
    image = field(gaussian, 2.2)
    expected = estimate_fwhm(image)
    spoilt = np.zeros(image.shape, dtype=np.uint8)
    spoilt[:, ::40] = 4
    image[:, ::40] = 1e6
    assert estimate_fwhm(image, spoilt=spoilt) == pytest.approx(expected, rel=0.05)
    image[:, ::40] = np.nan
    assert estimate_fwhm(image) == pytest.approx(expected, rel=0.05)


def test_hits_alone_have_no_width() -> None:
    """Where there are no stars there is no estimate."""
    image = field(gaussian, 2.0, n_stars=0)
    assert estimate_fwhm(image) is None
    rng = np.random.default_rng(3)
    image[rng.integers(0, 400, 200), rng.integers(0, 400, 200)] += 3000
    assert estimate_fwhm(image) is None


def test_few_stars() -> None:
    """An estimate rests on four stars that agree, and on no fewer."""
    found = {n: estimate_fwhm(field(gaussian, 2.0, n_stars=n)) for n in (2, 15)}
    assert found[2] is None
    assert found[15] == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((0, 0)),
        np.zeros((1, 1)),
        np.ones((6, 50)),
        np.full((50, 50), 3.0),
        np.full((50, 50), np.nan),
        np.arange(49.0).reshape(7, 7),
    ],
)
def test_images_without_stars(image: np.ndarray) -> None:
    """Empty, tiny and flat images have no width and give no error."""
    assert estimate_fwhm(image) is None


def test_galaxies_do_not_widen_the_estimate() -> None:
    """Many extended sources of all sizes; few stars, of one width."""
    rng = np.random.default_rng(3)
    image = rng.normal(0, 1, (400, 400))
    y, x = np.mgrid[:400, :400]
    for _ in range(80):
        x0, y0 = rng.uniform(10, 390, 2)
        scale = rng.uniform(1.2, 3)
        radius = np.hypot(np.hypot(x - x0, (y - y0) / rng.uniform(0.3, 1)), 0.4)
        image += 300 * np.exp(-radius / scale)
    for _ in range(12):
        x0, y0 = rng.uniform(10, 390, 2)
        image += 400 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 0.9**2))
    expected = 0.9 * 2.3548
    assert estimate_fwhm(image.astype(np.float32)) == pytest.approx(expected, rel=0.1)


def test_hits_do_not_narrow_the_estimate() -> None:
    """Many hits narrower than any star; few stars."""
    rng = np.random.default_rng(4)
    image = rng.normal(0, 1, (400, 400))
    y, x = np.mgrid[:400, :400]
    for n, sigma, peak in ((300, 0.5, 200), (12, 1.3, 200)):
        for _ in range(n):
            x0, y0 = rng.uniform(10, 390, 2)
            image += peak * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))
    expected = 1.3 * 2.3548
    assert estimate_fwhm(image.astype(np.float32)) == pytest.approx(expected, rel=0.1)


def test_few_stars_say_less() -> None:
    """Of the logarithm some 3 % where there are many, far more of a handful."""
    few, many = (find_psf_stars(field(gaussian, 2.0, n_stars=n)) for n in (8, 120))
    assert len(few) < 10 < 60 < len(many)
    assert few.fwhm_error > 0.1
    assert many.fwhm_error == pytest.approx(0.03, abs=0.005)


def called_stars(truth: np.ndarray, doubtful: np.ndarray | None = None):
    """Return what calls places near to true ones stars, and doubts about others."""

    def likely(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert places.shape[1] == 2
        widths = np.array([1.6, 2.8, 3.7])
        star = np.full((len(places), 3), 0.01)
        for near, p in ((truth, 0.99), (doubtful, 0.7)):
            if near is not None and len(near):
                gap = np.abs(places[:, None] - near[None]).max(axis=2).min(axis=1)
                star[gap < 2] = p
        return widths, star

    return likely


def stamped(*groups: tuple[np.ndarray, float]) -> np.ndarray:
    """Return 400x400 pixels with Gaussians at places, (x, y), of the widths given."""
    image = np.random.default_rng(5).normal(0, 1, (400, 400))
    y, x = np.mgrid[:400, :400]
    for places, fwhm in groups:
        for x0, y0 in places:
            image += 300 * gaussian((x - x0) ** 2 + (y - y0) ** 2, fwhm)
    return image.astype(np.float32)


def some_places(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(12, 388, (n, 2))


class TestChosen:
    """Stars that a classifier chooses."""

    def test_hits_are_as_many_as_one_likes(self) -> None:
        """Rules take sixty sharp peaks for the stars; three stars are enough here."""
        stars = np.array([(50.3, 60.7), (200.1, 311.4), (351.6, 90.2)])
        hits = some_places(60, 1)
        hits = hits[(np.abs(hits[:, None] - stars).max(axis=2) > 12).all(axis=1)]
        image = stamped((hits, 1.7), (stars, 3.4))
        assert estimate_fwhm(image) == pytest.approx(1.7, rel=0.1)
        found = find_psf_stars(image, likely=called_stars(stars))
        assert len(found) == 3
        assert found.fwhm == pytest.approx(3.4, rel=0.05)
        gap = np.abs(found.places[:, None] - stars[None]).max(axis=2).min(axis=1)
        assert gap.max() < 1

    def test_of_two_widths_the_narrower(self) -> None:
        """Galaxies are wider than stars, also where twice as many pass for these."""
        galaxies, stars = some_places(20, 3), some_places(10, 4)
        image = stamped((galaxies, 3.6), (stars, 2.4))
        assert estimate_fwhm(image) == pytest.approx(3.6, rel=0.1)
        likely = called_stars(stars, galaxies)
        assert find_psf_stars(image, likely=likely).fwhm == pytest.approx(2.4, rel=0.05)

    @pytest.mark.parametrize('n', [0, 1])
    def test_one_is_not_enough(self, n: int) -> None:
        """Nor is none."""
        stars = some_places(40, 6)
        likely = called_stars(stars[:n])
        assert find_psf_stars(stamped((stars, 2.4)), likely=likely) is None

    @pytest.mark.parametrize(('n', 'fwhm', 'said'), [
        (30, 7.0, True), (30, 3.4, False), (5, 7.0, False)
    ])  # fmt: skip
    def test_wider_than_a_classifier_knows(
        self, n: int, fwhm: float, said: bool
    ) -> None:
        """Rules speak where it finds no star, and many are wide."""
        image = stamped((some_places(n, 8), fwhm))
        found = find_psf_stars(image, likely=called_stars(np.empty((0, 2))))
        assert (found is not None) is said
        if found is not None:
            assert found.fwhm == pytest.approx(fwhm, rel=0.05)

    def test_nothing_is_asked_of_an_empty_image(self) -> None:
        """There is no peak."""

        def never(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            pytest.fail('asked')

        image = np.random.default_rng(0).normal(0, 1, (60, 60)).astype(np.float32)
        assert find_psf_stars(image, likely=never) is None

    def test_few_of_them_say_more(self) -> None:
        """Than as many whose widths agree alone."""
        stars = some_places(6, 7)
        image = stamped((stars, 2.4))
        chosen = find_psf_stars(image, likely=called_stars(stars))
        assert chosen.fwhm_error < 0.05 < find_psf_stars(image).fwhm_error

    def test_not_all_peaks_are_asked_about(self) -> None:
        """A crowded image takes no longer."""
        asked = []

        def noted(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            asked.append(len(places))
            return np.array([2.0]), np.ones((len(places), 1))

        assert find_psf_stars(field(gaussian, 2.0, n_stars=500), likely=noted)
        assert asked == [200]
