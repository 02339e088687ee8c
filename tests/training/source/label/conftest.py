"""Dithered fields, labels of one of them, and the dataset that these make."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table, vstack

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.source.labels import make_labels

if TYPE_CHECKING:
    from astrosieve_training.simulate.exposure import SimulatedExposure
    from astrosieve_training.source.datasets.detections import DetectionSet

SHAPE = (420, 400)


@pytest.fixture(scope='session')
def distances_at_once() -> Iterator[None]:
    """UMAP asks for those of few cutouts pair by pair; these are the same, sooner."""
    from scipy.spatial.distance import cdist
    from umap import umap_
    from umap.distances import euclidean

    def pairwise(x: np.ndarray, y: np.ndarray | None = None, *, metric: Any) -> Any:
        assert metric is euclidean
        return cdist(x, x if y is None else y)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(umap_, 'pairwise_distances', pairwise)
        yield


DITHERS = ((0.0, 0.0), (7.4, -5.2), (-11.0, 3.6))
_RNG = np.random.default_rng(3)
STARS = _RNG.uniform(20, 380, (400, 2))


def write_exposure(path: Path, shift: tuple[float, float]) -> None:
    """Write sky with a few stars, as an FLT whose one chip is EXTVER 1."""
    rng = np.random.default_rng(ord(path.name[0]))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = rng.normal(20, 3, SHAPE)
    for sx, sy in STARS[:40]:
        image += 900 * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / 2)
    header = fits.Header()
    header.update(
        CTYPE1='RA---TAN', CTYPE2='DEC--TAN', CRVAL1=0.001, CRVAL2=-30.0,
        CRPIX1=200.0 + shift[0], CRPIX2=210.0 + shift[1], CD1_1=-1e-5, CD1_2=0.0,
        CD2_1=0.0, CD2_2=1e-5,
    )  # fmt: skip
    header['BUNIT'] = 'ELECTRONS'
    primary = fits.PrimaryHDU()
    primary.header.update(INSTRUME='SIM', DETECTOR='CCD', FILTER='R', EXPTIME=100.0)
    sci = fits.ImageHDU(image.astype(np.float32), header, name='SCI')
    fits.HDUList([primary, sci]).writeto(path)


@pytest.fixture(scope='session')
def exposures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three dithered exposures of one field."""
    folder = tmp_path_factory.mktemp('exposures')
    paths = [folder / f'{name}_flt.fits' for name in 'abc']
    for path, shift in zip(paths, DITHERS, strict=True):
        write_exposure(path, shift)
    return paths


def field_labels(paths: list[Path]) -> Table:
    """Stars, the same in each exposure; cosmic rays and defects in each its own."""
    rng = np.random.default_rng(8)
    defects = rng.uniform(5, 395, (60, 2))
    tables = []
    for path, shift in zip(paths, DITHERS, strict=True):
        hits = rng.uniform(5, 395, (500, 2))
        xy = np.concatenate([STARS + shift, hits, defects])
        names = ['star'] * len(STARS) + ['cosmic_ray'] * 500 + ['bad_pixel'] * 60
        tables.append(make_labels(path.name, 1, xy, names))
    table = vstack(tables, metadata_conflicts='silent')
    table['place'] = np.arange(len(table))
    return table


@pytest.fixture(scope='session')
def labels(exposures: list[Path]) -> Table:
    return field_labels(exposures)


@pytest.fixture(scope='session')
def cut(exposures: list[Path], labels: Table) -> DetectionSet:
    """The labels, cut for the published network."""
    pytest.importorskip('scipy')
    from astrosieve_training.source.label.cutting import cut_labels

    return cut_labels(exposures, labels, preprocessing='zscale-log-1')


@pytest.fixture(scope='session')
def written(
    exposures: list[Path], labels: Table, cut: DetectionSet,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A dataset of both preprocessings."""
    from astrosieve_training.source.label.cutting import cut_labels
    from astrosieve_training.source.label.dataset import write_dataset

    folder = tmp_path_factory.mktemp('written') / 'dataset'
    sets = {
        'zscale-log-1': cut,
        'local-noise-2': cut_labels(exposures, labels, preprocessing='local-noise-1'),
    }
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)  # the field is small
        write_dataset(folder, sets, {'how': 'by hand'}, exposures=exposures)
    return folder


@dataclass
class Field:
    """A dithered set, as files, with what was simulated."""

    paths: list[Path]
    exposures: list[SimulatedExposure]


@pytest.fixture(scope='session')
def make_field(request: pytest.FixtureRequest) -> Callable[..., Field]:
    """Make dithered exposures of a globular cluster, of 256x256 pixels."""
    pytest.importorskip('galsim')
    from astrosieve_training.simulate import load_camera
    from astrosieve_training.simulate.exposure import simulate_dithered_set

    suffixes = {'flc': 'flc', 'c0m': 'c0m', 'ground': 'img'}

    def make(folder: Path, camera: str = 'wfc3-uvis-f814w', n: int = 4) -> Field:
        loaded = load_camera(camera)
        if loaded.psf.file:
            request.getfixturevalue('data_dir')  # where PSFs of cameras are
        exposures = simulate_dithered_set(
            loaded, n, seed=11, shape=(256, 256), scene='globular', exptime=1230.0
        )
        paths = [folder / f'e{i}_{suffixes[loaded.layout]}.fits' for i in range(n)]
        for path, exposure in zip(paths, exposures, strict=True):
            exposure.write(path)
        return Field(paths, exposures)

    return make


@pytest.fixture(scope='session')
def field(
    make_field: Callable[..., Field], tmp_path_factory: pytest.TempPathFactory
) -> Field:
    """Four of these exposures."""
    return make_field(tmp_path_factory.mktemp('field'))


@pytest.fixture
def edited(field: Field, tmp_path: Path) -> Callable[..., list[Path]]:
    """Return a maker of copies, the second of which has other keywords."""

    def make(ext: int = 0, n: int = 2, **cards: Any) -> list[Path]:
        copies = []
        for number, path in enumerate(field.paths[:n]):
            copy = tmp_path / path.name
            with fits.open(path) as hdus:
                if number == 1:
                    for name, value in cards.items():
                        if value is None:
                            hdus[ext].header.remove(name, ignore_missing=True)
                        else:
                            hdus[ext].header[name] = value
                hdus.writeto(copy)
            copies.append(copy)
        return copies

    return make
