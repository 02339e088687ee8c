"""PSFs: flux, centre, phase, variation over the detector."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.images.psf import estimate_fwhm
from astrosieve_training.data_folder import data_folder
from astrosieve_training.simulate import build_psf, list_cameras, load_camera, optics


def _psf(name: str) -> optics.PSF:
    pytest.importorskip('galsim')
    if not name.startswith(('ground', 'demo')):
        if data_folder() is None:
            pytest.skip('no shared data')
        path = optics.tinytim_path('wfc3', 'uvis', 'f336w')
        if path is None or not path.exists():
            pytest.skip('no TinyTim models')
    return build_psf(load_camera(name))


def _render(psf: optics.PSF, x: float, y: float, flux: float = 1e6) -> np.ndarray:
    core, rest = psf.render((61, 61), [x], [y], [flux], level=1e-6)
    return (core + rest).astype(float)


@pytest.mark.parametrize('name', list_cameras())
def test_centroid_is_the_position(name: str) -> None:
    """A star's centroid is where it was put, at any phase, to 0.02 pixels."""
    psf = _psf(name)
    grid = np.arange(4) / 4
    offsets = []
    for start in (0.0, 0.11):
        sums = np.zeros(3)
        for fx in grid:
            for fy in grid:
                x, y = 30 + fx - 0.4 + start, 30 + fy - 0.4 + start
                image = _render(psf, x, y)
                yy, xx = np.indices(image.shape)
                # One star at many phases is one well sampled star.
                dx, dy = xx - x, yy - y
                w = np.exp(-0.5 * (dx**2 + dy**2) / (psf.fwhm / 2) ** 2) * image
                sums += (w * dx).sum(), (w * dy).sum(), w.sum()
        offsets.append(sums[:2] / sums[2])
    assert np.abs(offsets).max() < 0.02


@pytest.mark.parametrize('name', ['demo', 'ground-moffat', 'wfc3-uvis-f814w'])
def test_flux_does_not_depend_on_the_phase(name: str) -> None:
    """The electrons in the image are those of the star, within 0.5 % of each other."""
    psf = _psf(name)
    totals = [
        _render(psf, 30 + fx, 30 + fy).sum()
        for fx in (-0.5, -0.2, 0.0, 0.3)
        for fy in (-0.4, 0.1)
    ]
    assert np.ptp(totals) / np.mean(totals) < 0.005
    assert 0.93 < np.mean(totals) / 1e6 < 1.001


def test_total_is_one() -> None:
    """Core and wings of every PSF hold all electrons."""
    for psf in (optics.gaussian_psf(2.0), optics.moffat_psf(3.5, 2.9)):
        total = psf.planes[0].sum() / psf.oversampling**2
        total += 0 if psf.wings is None else psf.wings.sum()
        assert total == pytest.approx(1, abs=0.003)


def test_fwhm_of_analytic_profiles() -> None:
    """The width is the profile's, broadened a little by the pixel."""
    assert optics.gaussian_psf(3.0).fwhm == pytest.approx(np.hypot(3.0, 0.65), abs=0.05)
    assert 3.5 < optics.moffat_psf(3.5).fwhm < 3.75


def test_value_agrees_with_render() -> None:
    """The two ways to a pixel's share give the same."""
    psf = optics.gaussian_psf(2.2)
    image = _render(psf, 30.3, 29.8, 1.0)
    yy, xx = np.indices(image.shape)
    expected = psf.value(xx - 30.3, yy - 29.8)
    near = np.hypot(xx - 30, yy - 30) < 5
    np.testing.assert_allclose(image[near], expected[near], atol=2e-5)


def test_gaussian_is_integrated_over_the_pixel() -> None:
    """A pixel holds the integral of the profile, not its value at the centre."""
    from scipy.special import ndtr

    fwhm = 1.6
    sigma = fwhm / 2.35482
    share = (ndtr(0.5 / sigma) - ndtr(-0.5 / sigma)) ** 2
    psf = optics.gaussian_psf(fwhm)
    assert float(psf.value(0.0, 0.0)) == pytest.approx(share, rel=0.01)


def test_core_and_rest_split_at_the_distance() -> None:
    """Pixels within the FWHM of the centre are core, all others are not."""
    psf = optics.moffat_psf(3.0)
    core, rest = psf.render((41, 41), [20.2], [19.9], [1e5], level=1e-3)
    yy, xx = np.indices(core.shape)
    near = np.hypot(xx - 20.2, yy - 19.9) <= psf.fwhm
    assert (core[~near] == 0).all()
    assert (rest[near] == 0).all()
    assert (core[near] > 0).all()


def test_radius_grows_with_flux() -> None:
    """Bright stars are drawn as far as they rise above the level."""
    psf = optics.moffat_psf(3.0)
    radius = psf.radius(np.array([10.0, 1e3, 1e6]), 0.1)
    assert radius[0] < radius[1] < radius[2]


def test_planes_are_interpolated() -> None:
    """Half way between two nodes a variable PSF is their mean."""
    narrow, wide = optics.gaussian_psf(1.6), optics.gaussian_psf(2.6)
    n = min(narrow.planes.shape[1], wide.planes.shape[1])
    psf = optics.PSF(
        np.stack([narrow.planes[0], wide.planes[0]]), x_nodes=[0, 100], y_nodes=[0]
    )
    assert n % 2 == 1
    at = [float(psf.value(0, 0, position=(x, 0))) for x in (0, 50, 100)]
    assert at[1] == pytest.approx((at[0] + at[2]) / 2)
    share, _ = psf.box_share([50.0], [10.0])
    assert share[0] > 0


def test_spikes_lie_at_the_camera_angles() -> None:
    """Far out, the light lies along the two directions of the camera."""
    psf = _psf('demo')
    camera = load_camera('demo')
    half = psf.wings.shape[0] // 2
    yy, xx = np.indices(psf.wings.shape) - half
    r = np.hypot(xx, yy)
    ring = (r > 50) & (r < 120)
    angle = np.rad2deg(np.arctan2(yy, xx)) % 180
    profile, edges = np.histogram(
        angle[ring], np.arange(0, 181, 3), weights=psf.wings[ring]
    )
    for direction in camera.spike_angles:
        k = int(direction // 3)
        assert profile[k - 1 : k + 2].max() > 3 * np.median(profile)
    assert len(edges) == len(profile) + 1


def test_many_stars_are_fast_and_conserve_flux() -> None:
    """All of 5,000 stars' electrons arrive."""
    rng = np.random.default_rng(1)
    psf = optics.gaussian_psf(2.0)
    x, y = rng.uniform(20, 480, (2, 5000))
    flux = rng.uniform(100, 1000, 5000)
    core, rest = psf.render((500, 500), x, y, flux, level=1e-3)
    assert core.sum() + rest.sum() == pytest.approx(flux.sum(), rel=2e-3)


@pytest.mark.parametrize(
    ('planes', 'message'),
    [
        (np.ones((4, 5)), 'must have shape'),
        (np.ones((4, 4)), 'odd size'),
        (np.ones((2, 5, 5)), 'do not fill'),
    ],
)
def test_bad_planes(planes: np.ndarray, message: str) -> None:
    """A PSF that cannot be is refused by name."""
    with pytest.raises(ValueError, match=message):
        optics.PSF(planes)


@pytest.mark.parametrize(
    'faults', [{'defocus': 5.0}, {'coma': 3.0}, {'trail': 4.0, 'angle': 30.0}]
)
def test_faulty_telescopes(faults: dict[str, float]) -> None:
    """Rings, comets and trails keep the light and the centre, and are wider."""
    kernel = optics.ray_kernel(**faults)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    sharp = optics.moffat_psf(1.8, 3.5)
    psf = sharp.blurred(kernel)
    assert psf.fwhm > 1.15 * sharp.fwhm
    assert psf.planes.sum() == pytest.approx(sharp.planes.sum(), rel=0.02)
    yy, xx = np.indices((61, 61))
    image = _render(psf, 30.0, 30.0)
    near = image * (np.hypot(xx - 30, yy - 30) < 8)
    centre = np.array([(near * xx).sum(), (near * yy).sum()]) / near.sum()
    assert np.abs(centre - 30).max() < 0.5


def test_trail_lies_at_its_angle() -> None:
    """The second moments of a trail point along it."""
    kernel = optics.ray_kernel(trail=4.0, angle=30.0)
    half = kernel.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    xx, yy, xy = ((kernel * each).sum() for each in (x * x, y * y, x * y))
    assert np.rad2deg(np.arctan2(2 * xy, xx - yy) / 2) == pytest.approx(30, abs=2)


@pytest.mark.parametrize('name', list_cameras())
def test_width_of_the_psf_is_estimated(name: str) -> None:
    """What the stars' pixels say is the simulator's width, within a tenth."""
    psf = _psf(name)
    rng = np.random.default_rng(8)
    n = 120
    x, y = rng.uniform(12, 388, (2, n))
    core, rest = psf.render((400, 400), x, y, 10 ** rng.uniform(3.3, 5.5, n))
    image = core + rest
    image += rng.normal(0, 3, image.shape) + np.sqrt(image) * rng.normal(
        0, 1, image.shape
    )
    found = estimate_fwhm(image.astype(np.float32))
    if psf.fwhm > 1.35 or found is not None:
        assert found == pytest.approx(psf.fwhm, rel=0.1)
