"""A small monitor whose mirror moves a little; differences, and a model of means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.blob.find import OPERATING_POINT
from astrosieve.blob.marks import OUTPUTS
from astrosieve.models.cards import ModelCard, OperatingPoint
from astrosieve.models.registry import Model, load_model, sha256_of

Spot = tuple[float, float, float, float]
"""x, y, radius, depth."""


def transmission(shape: tuple[int, int], spot: Spot) -> np.ndarray:
    """Return what a spot lets through: a disc with a soft edge."""
    x, y, radius, depth = spot
    passed = np.ones(shape)
    # Farther than six radii it takes less than a part in 10^8.
    top, left = (max(int(at - 6 * radius), 0) for at in (y, x))
    part = passed[top : int(y + 6 * radius) + 2, left : int(x + 6 * radius) + 2]
    rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
    off = np.hypot(columns + left - x, rows + top - y) - radius
    part -= depth * (1 - np.tanh(off / (0.5 * radius))) / 2
    return passed


@dataclass
class Monitor:
    """
    Images of one detector.

    ``old`` are spots that move with the mirror; ``fixed`` are dark places of the
    flat, which do not.
    """

    shape: tuple[int, int]
    seed: int = 1
    n_old: int = 25
    fixed: Sequence[Spot] = ()
    old: list[Spot] = field(init=False)
    mirrors: dict[tuple[float, float], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        ny, nx = self.shape
        self.old = [
            (
                rng.uniform(12, nx - 12),
                rng.uniform(12, ny - 12),
                rng.uniform(4, 10),
                rng.uniform(0.03, 0.15),
            )
            for _ in range(self.n_old)
        ]
        self.flat = 1 + 0.01 * rng.standard_normal(self.shape)
        self.flat *= 1 + 0.02 * np.sin(np.arange(ny) / 80)[:, None]
        for spot in self.fixed:
            self.flat *= transmission(self.shape, spot)

    def mirror(self, shift: tuple[float, float]) -> np.ndarray:
        """Return what the older blobs let through, shifted by (dy, dx)."""
        if shift not in self.mirrors:
            passed = np.ones(self.shape)
            for x, y, radius, depth in self.old:
                moved = (x + shift[1], y + shift[0], radius, depth)
                passed *= transmission(self.shape, moved)
            self.mirrors[shift] = passed
        return self.mirrors[shift]

    def image(
        self,
        *,
        shift: tuple[float, float] = (0, 0),
        new: Sequence[Spot] = (),
        level: float = 3,
        slope: tuple[float, float] = (0.03, -0.05),
        noise: float = 0.01,
        seed: int = 0,
    ) -> np.ndarray:
        """Return an image; noise is a share of the level."""
        ny, nx = self.shape
        light = level * (
            1
            + slope[0] * np.linspace(-0.5, 0.5, ny)[:, None]
            + slope[1] * np.linspace(-0.5, 0.5, nx)
        )
        image = light * self.flat * self.mirror(shift)
        for spot in new:
            image = image * transmission(self.shape, spot)
        rng = np.random.default_rng([self.seed, seed])
        image = image + noise * level * rng.standard_normal(self.shape)
        return image.astype(np.float32)

    def references(self, n: int, *, noise: float = 0.01) -> list[np.ndarray]:
        """Return images of various levels and slopes."""
        rng = np.random.default_rng([self.seed, 99])
        return [
            self.image(
                level=rng.uniform(1, 4),
                slope=tuple(rng.normal(0, 0.05, 2)),
                noise=noise,
                seed=1000 + k,
            )
            for k in range(n)
        ]


def write_flt(
    path: Path, image: np.ndarray, *, dq: bool | np.ndarray = True, **cards: object
) -> Path:
    """Write an image as calwf3 does, with SCI and DQ; reads are further SCI."""
    header = {
        'TELESCOP': 'HST',
        'INSTRUME': 'WFC3',
        'DETECTOR': 'IR',
        'FILTER': 'F153M',
        'EXPSTART': 57000.0,
        **cards,
    }
    primary = fits.PrimaryHDU()
    primary.header.update({k: v for k, v in header.items() if v is not None})
    sci = fits.ImageHDU(image.astype(np.float32), name='SCI', ver=1)
    sci.header['BUNIT'] = 'ELECTRONS/S'
    hdus = fits.HDUList([primary, sci])
    if dq is not False:
        plane = np.zeros(image.shape, np.int16) if dq is True else dq
        hdus.append(fits.ImageHDU(plane.astype(np.int16), name='DQ', ver=1))
    hdus.writeto(path)
    return path


@pytest.fixture(scope='session')
def small() -> Monitor:
    """Monitor of 512x512 pixels with a dark place of the flat."""
    return Monitor((512, 512), fixed=[(100, 400, 8, 0.1)])


@pytest.fixture(scope='session')
def monitor() -> Monitor:
    """Monitor of the full frame."""
    return Monitor((1014, 1014), seed=2)


FIRST = ((300.0, 640.0, 6.0, 0.12), (702.0, 251.0, 5.0, 0.1))
"""New blobs of the seventh image of the sequence, and those after it."""
SECOND = ((120.0, 805.0, 7.0, 0.14),)
"""New blobs of the eighth."""


@pytest.fixture(scope='session')
def sequence(monitor: Monitor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of eight FLTs, i0_flt.fits to i7_flt.fits, two days apart."""
    folder = tmp_path_factory.mktemp('sequence')
    for number in range(8):
        image = monitor.image(
            shift=(0.1 * (number % 3), -0.1 * (number % 2)),
            new=(*FIRST * (number > 5), *SECOND * (number > 6)),
            level=2 + 0.2 * number,
            seed=number,
        )
        path = folder / f'i{number}_flt.fits'
        write_flt(path, image, EXPSTART=57000.0 + 2 * number)
    return folder


@pytest.fixture
def flt() -> Callable[..., Path]:
    """What writes an FLT."""
    return write_flt


NOISE = 0.02


def drawn(
    blobs: tuple[tuple[float, float, float], ...] = ((100.0, 60.0, 0.15),),
    shape: tuple[int, int] = (200, 256),
    *,
    seed: int = 1,
) -> np.ndarray:
    """Return a difference with blobs of radius 5 at x, y, of some depth."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    data = rng.normal(0, NOISE, shape)
    for at_x, at_y, depth in blobs:
        data += depth * np.exp2(-((x - at_x) ** 2 + (y - at_y) ** 2) / 25)
    return data.astype(np.float32)


@pytest.fixture(name='drawn')
def drawn_() -> Callable[..., np.ndarray]:
    """Return the function that draws differences."""
    return drawn


@pytest.fixture(scope='session')
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model that marks cells about which pixels are 1.5 sigma high in the mean."""
    pytest.importorskip('onnx')
    from onnx import TensorProto, checker, helper, numpy_helper

    weights = np.zeros((len(OUTPUTS), 3, 8, 8), np.float32)
    weights[0, 0] = 80 / 64
    offsets = np.zeros(len(OUTPUTS), np.float32)
    offsets[:2] = -30, -10
    offsets[OUTPUTS.index('radius')] = np.log(5)
    offsets[OUTPUTS.index('depth')] = np.log(7.5)
    graph = helper.make_graph(
        [
            helper.make_node(
                'Conv', ['image', 'weights', 'offsets'], ['logits'],
                kernel_shape=[8, 8], strides=[4, 4], pads=[2, 2, 2, 2],
            )
        ],
        'means',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, ['n', 3, 'y', 'x'])],
        [
            helper.make_tensor_value_info(
                'logits', TensorProto.FLOAT, ['n', len(OUTPUTS), 'v', 'u']
            )
        ],
        [
            numpy_helper.from_array(weights, 'weights'),
            numpy_helper.from_array(offsets, 'offsets'),
        ],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    made.ir_version = 8
    checker.check_model(made)
    content = made.SerializeToString()
    path = tmp_path_factory.mktemp('model') / 'means.onnx'
    path.write_bytes(content)
    card = ModelCard(
        name='means', version='1.0', task='blob', description='Bright on the whole.',
        classes=('blob',), preprocessing='difference-1', inputs={},
        sha256=sha256_of(content), temperature=2.0, class_prior={'blob': 0.1},
        operating_points={OPERATING_POINT: OperatingPoint(0.5, 'p_blob', {}, 'none')},
        training_data='none', split='none', seed=0, licence='BSD-3-Clause',
        activation='sigmoid',
        options={'outputs': list(OUTPUTS), 'errors': {'depth': 0.5}},
    )  # fmt: skip
    path.with_suffix('.json').write_text(card.to_json())
    return load_model(Path(path), threads=2)
