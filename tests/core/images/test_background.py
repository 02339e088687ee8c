"""Sky and noise, of the whole image and from place to place."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve.images.background import (
    Background,
    BackgroundMesh,
    measure_background,
    measure_mesh,
    measure_noise,
)


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_background_in_spite_of_stars(star_field) -> None:
    """Level and noise are the sky's."""
    background = measure_background(star_field.data + 50)
    assert background.level == pytest.approx(50, abs=0.3)
    assert background.noise == pytest.approx(star_field.noise, rel=0.1)


def test_background_of_usable_pixels() -> None:
    """What is spoilt or not finite does not count."""
    image = 10 + 2 * noise((100, 100), 4)
    spoilt = np.zeros(image.shape, dtype=np.uint8)
    spoilt[:, :60], image[:, :60] = 16, 1e5
    image[:, 80] = np.nan
    background = measure_background(image, spoilt=spoilt)
    assert background.level == pytest.approx(10, abs=0.2)
    assert background.noise == pytest.approx(2, rel=0.1)


def test_background_of_nothing() -> None:
    """NaN where there is no usable pixel, zero where there is no noise."""
    background = measure_background(np.full((5, 5), np.nan))
    assert np.isnan(background.level)
    assert np.isnan(background.noise)
    assert measure_background(np.full((5, 5), 7.0)) == Background(7.0, 0.0)


def test_background_without_noise() -> None:
    """A lone source on a sky of one value: its spread is all there is."""
    image = np.zeros((50, 50))
    image[20:23, 20:23] = 100
    background = measure_background(image)
    assert background.level == 0
    assert background.noise > 0


class TestMesh:
    """Sky and noise in cells of 32x32 pixels."""

    def test_sky_gradient(self) -> None:
        """The level follows the sky within what 256 pixels of a cell can say."""
        y, x = np.mgrid[:256, :320]
        mesh = measure_mesh(100 + 0.02 * x - 0.01 * y + 4 * noise(x.shape))
        expected = 100 + 0.02 * mesh.x - 0.01 * mesh.y[:, None]
        error = mesh.level - expected
        assert mesh.level.shape == mesh.noise.shape == (8, 10)
        assert np.abs(error).max() < 4 * 1.25 * 4 / 16
        assert abs(error.mean()) < 0.1
        assert mesh.level[:, -1].mean() - mesh.level[:, 0].mean() > 5

    def test_noise_gradient(self) -> None:
        """So does the noise, to 30 % in a cell and to 5 % in a row of cells."""
        y = np.mgrid[:256, :512][0]
        mesh = measure_mesh((6 + 6 * y / 255) * noise(y.shape))
        expected = np.broadcast_to(6 + 6 * mesh.y[:, None] / 255, mesh.noise.shape)
        assert mesh.noise == pytest.approx(expected, rel=0.3)
        rows = mesh.noise.mean(axis=1)
        assert rows == pytest.approx(expected[:, 0], rel=0.05)

    def test_sources_hardly_count(self) -> None:
        """Light in a fifteenth of the pixels moves neither by a fifth of the noise."""
        image = 3 * noise((128, 128))
        plain = measure_mesh(image)
        places = np.random.default_rng(1).random(image.shape) < 1 / 15
        crowded = measure_mesh(image + 1000 * places)
        assert crowded.level.mean() - plain.level.mean() < 0.2 * 3
        assert crowded.noise.mean() == pytest.approx(plain.noise.mean(), rel=0.2)

    def test_spoilt_pixels_are_left_out(self) -> None:
        """Whatever they hold: NaN, infinity or light."""
        image = 20 + 3 * noise((96, 96))
        spoilt = np.random.default_rng(2).integers(0, 5, image.shape) == 0
        spoilt = spoilt.astype(np.uint8) * 16
        meshes = []
        for value in (np.nan, np.inf, 1e6):
            image[spoilt != 0] = value
            meshes.append(measure_mesh(image, spoilt=spoilt))
        assert meshes[0].level == pytest.approx(20, abs=4 * 1.25 * 3 / 14)
        assert meshes[0].noise == pytest.approx(3, rel=0.35)
        for other in meshes[1:]:
            assert np.array_equal(other.level, meshes[0].level)
            assert np.array_equal(other.noise, meshes[0].noise)

    def test_nothing_spoilt_is_as_no_plane(self) -> None:
        """A plane of zeros changes nothing, to the bit."""
        image = noise((70, 100)).astype(np.float32)
        one = measure_mesh(image)
        other = measure_mesh(image, spoilt=np.zeros(image.shape, dtype=np.uint8))
        assert np.array_equal(one.level, other.level)
        assert np.array_equal(one.noise, other.noise)

    def test_a_lost_cell_takes_the_images_values(self) -> None:
        """Without a pixel, and with fewer than a sixteenth of those looked at."""
        image = 50 + 3 * noise((96, 96))
        image[32:64, 32:64] = np.nan
        image[64:, 64:] = 70
        spoilt = np.isnan(image).astype(np.uint8)
        spoilt[64:, 64:] = 1
        spoilt[64, 64:94:2] = 0  # 15 of 256
        whole = measure_background(image, spoilt=spoilt)
        mesh = measure_mesh(image, spoilt=spoilt)
        for cell in ((1, 1), (2, 2)):
            assert mesh.level[cell] == np.float32(whole.level)
            assert mesh.noise[cell] == np.float32(whole.noise)
        assert mesh.level[0, 0] != np.float32(whole.level)
        spoilt[64, 94] = 0  # 16 of 256
        assert measure_mesh(image, spoilt=spoilt).level[2, 2] == 70

    def test_image_smaller_than_a_cell(self) -> None:
        """One cell: the middle pixel by rank, and the distance to the 15.87th %."""
        image = noise((20, 12)).astype(np.float32)
        mesh = measure_mesh(image)
        seen = np.sort(image[::2], axis=None)  # each column, every second row
        assert mesh.level.shape == (1, 1)
        assert mesh.level[0, 0] == seen[60]
        assert mesh.noise[0, 0] == pytest.approx(seen[60] - seen[19])
        assert mesh.x.tolist() == [5.5]
        assert mesh.y.tolist() == [9.0]

    def test_the_images_values_may_be_given(self) -> None:
        """They are what lost cells have."""
        image = 3 * noise((96, 96))
        spoilt = np.zeros(image.shape, dtype=np.uint8)
        spoilt[:32, :32] = 1
        given = Background(level=11.0, noise=20.0)
        mesh = measure_mesh(image, spoilt=spoilt, background=given)
        assert mesh.level[0, 0] == 11
        assert mesh.noise[0, 0] == 20
        assert (mesh.noise.ravel()[1:] < 5).all()
        assert abs(mesh.level[1, 1]) < 1

    @pytest.mark.parametrize(('side', 'middles'), [(64, [15, 47]), (75, [15, 58])])
    def test_cells_reach_both_edges(self, side: int, middles: list[float]) -> None:
        """Where the side is no multiple of 32 the cells leave gaps between them."""
        mesh = measure_mesh(noise((side, 40)))
        assert mesh.y.tolist() == middles
        assert mesh.x.tolist() == [15]

    def test_noise_floor(self) -> None:
        """No cell has less than half of the noise of the quietest tenth."""
        image = 10 * noise((320, 320))
        image[:32, :32] /= 20
        image[64:96, 64:96] = 5
        mesh = measure_mesh(image)
        usual = np.delete(mesh.noise.ravel(), [0, 22])
        assert usual.min() > 7
        assert 0.4 * np.median(usual) < mesh.noise[0, 0] < 0.5 * np.median(usual)
        # Pixels of one value say nothing of the noise; the image has to.
        assert mesh.noise[2, 2] == np.float32(measure_background(image).noise)
        assert mesh.level[2, 2] == 5

    @pytest.mark.parametrize('span', [50, 100, 500])
    def test_gradient_is_no_noise(self, span: float) -> None:
        """However much the sky rises over the image, the noise of cells stays."""
        slope = np.linspace(0, span, 1024)
        mesh = measure_mesh(5 * noise((256, 1024)) + slope)
        within = span / 32 / np.sqrt(12)  # deviation of the slope within a cell
        expected = np.hypot(5, within)
        assert np.median(mesh.noise) == pytest.approx(expected, rel=0.08)

    def test_offset_changes_the_level_alone(self) -> None:
        """A pedestal is added to each level and to no noise."""
        image = (64 * noise((96, 128))).round().astype(np.float32)
        plain, raised = measure_mesh(image), measure_mesh(image + 4096)
        assert np.array_equal(raised.level, plain.level + 4096)
        assert raised.noise == pytest.approx(plain.noise, rel=1e-6)

    def test_image_without_noise_or_pixels(self) -> None:
        """No noise is 0; without a usable pixel both are NaN."""
        flat = measure_mesh(np.full((40, 70), 3.0))
        assert (flat.level == 3).all()
        assert (flat.noise == 0).all()
        lost = np.ones((40, 70), dtype=np.uint8)
        nothing = measure_mesh(np.full((40, 70), np.nan), spoilt=lost)
        assert np.isnan(nothing.level).all()
        assert np.isnan(nothing.noise).all()


class TestInterpolation:
    """Values of a mesh at positions."""

    @pytest.fixture
    def mesh(self) -> BackgroundMesh:
        """Planes: level 2 + 3x - y, noise 10 + x/2 + 2y."""
        x, y = np.array([10.0, 20.0, 40.0]), np.array([5.0, 105.0])
        level = 2 + 3 * x - y[:, None]
        return BackgroundMesh(
            x, y, level.astype('f4'), (10 + x / 2 + 2 * y[:, None]).astype('f4')
        )

    def test_linear_between_middles(self, mesh: BackgroundMesh) -> None:
        """A plane comes back as it is, in cells of any size."""
        x = np.array([10.0, 12.5, 20.0, 33.0, 40.0])
        y = np.array([5.0, 50.0, 105.0, 6.25, 77.0])
        level, spread = mesh.at(x, y)
        assert level == pytest.approx(2 + 3 * x - y, rel=1e-6)
        assert spread == pytest.approx(10 + x / 2 + 2 * y, rel=1e-6)
        assert level.dtype == spread.dtype == np.float32

    def test_constant_beyond(self, mesh: BackgroundMesh) -> None:
        """Outside the outermost middles the value is theirs."""
        x, y = np.array([-1, 0, 60, 25, 25]), np.array([0, 55, 500, -40, 999])
        inside = mesh.at(x.clip(10, 40), y.clip(5, 105))
        for found, expected in zip(mesh.at(x, y), inside, strict=True):
            assert np.array_equal(found, expected)

    def test_mesh_of_one_cell(self) -> None:
        """One value holds everywhere."""
        one = np.ones((1, 1), dtype=np.float32)
        mesh = BackgroundMesh(np.array([15.0]), np.array([7.0]), 3 * one, 2 * one)
        level, spread = mesh.at(np.array([-5, 15, 90]), np.array([0, 7, 1e4]))
        assert level.tolist() == [3, 3, 3]
        assert spread.tolist() == [2, 2, 2]

    def test_no_positions(self, mesh: BackgroundMesh) -> None:
        """None in, none out."""
        level, spread = mesh.at(np.empty(0), np.empty(0))
        assert level.shape == spread.shape == (0,)


class TestNoise:
    """Noise of a pixel by differences of neighbours."""

    def test_gradients_and_sources_do_not_count(self, star_field) -> None:
        """Unlike in the spread of all pixels."""
        y, x = np.mgrid[: star_field.data.shape[0], : star_field.data.shape[1]]
        found = measure_noise(star_field.data + 0.5 * x + 0.2 * y)
        assert np.median(found) == pytest.approx(star_field.noise, rel=0.1)

    def test_stripes_do_not_count(self) -> None:
        """Rows that differ leave the differences along them alone."""
        image = 2 * noise((128, 160)) + 30 * noise((128, 1), 1)
        assert np.median(measure_noise(image)) == pytest.approx(2, rel=0.1)

    def test_unusable_pixels(self) -> None:
        """A cell without any has the median of the others."""
        image = 3 * noise((96, 96))
        image[:32, :32] = np.nan
        spoilt = np.isnan(image).astype(np.uint8)
        found = measure_noise(image, spoilt=spoilt)
        assert found.shape == (3, 3)
        assert found == pytest.approx(3, rel=0.3)
        assert (
            measure_noise(np.full((40, 40), np.nan), spoilt=np.ones((40, 40))) == 1
        ).all()


def test_mesh_over_a_box() -> None:
    """Interpolated as at single positions; a cell of a spike is smoothed away."""
    level = np.arange(12, dtype=np.float32).reshape(3, 4)
    mesh = BackgroundMesh(
        16 + 32.0 * np.arange(4), 16 + 32.0 * np.arange(3), level, level
    )
    y, x = np.mgrid[10:50, 60:128]
    for plane, expected in zip(
        mesh.over(slice(10, 50), slice(60, 128)), mesh.at(x, y), strict=True
    ):
        assert plane == pytest.approx(expected, abs=1e-5)
    level[1, 1] = 1e6
    assert mesh.smoothed().level.max() < 12
