"""Inputs of any structure are worked on, or refused with a message."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable

from astrosieve import (
    classify_frame,
    classify_sources,
    find_blobs,
    score_transients,
    segment_contaminants,
)
from astrosieve.classes import UNSCORED
from astrosieve.exceptions import (
    AstrosieveError,
    CatalogError,
    ExposureError,
    ModelIntegrityError,
)
from astrosieve.images.exposures import read_chips
from astrosieve.source.exposures import classify_exposure
from astrosieve.tables.catalogs import positions, read_catalog, write_catalog

pytest.importorskip('hypothesis')

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

REFUSED = AstrosieveError, ValueError, TypeError
NUMBERS = st.floats(-1e3, 1e3) | st.sampled_from([np.nan, np.inf, -np.inf, 1e30, 0.0])
COLUMNS = 'x_centroid', 'y_centroid', 'X_IMAGE', 'Y_IMAGE', 'x', 'y'
some = settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def planes(
    low: int = 0, high: int = 24, dims: tuple[int, int] = (2, 2)
) -> st.SearchStrategy[np.ndarray]:
    """Arrays of any shape and kind; most have two dimensions and real numbers."""
    numbers = '<f4', '>f4', 'f8', 'i2', '>i4', 'u1'
    kinds = st.sampled_from(numbers if low else (*numbers, '?'))
    shapes = hnp.array_shapes(
        min_dims=dims[0], max_dims=dims[1], min_side=low or 1, max_side=high
    )
    if not low:
        odd = st.sampled_from([(0, 5), (5, 0), (7,), (2, 9, 9), ()])
        shapes = st.one_of(*[shapes] * 5, odd)

    def filled(kind: str, shape: tuple[int, ...], seed: int, odd: list[float]) -> Any:
        rng = np.random.default_rng(seed)
        values = rng.normal(100, 20, shape)
        if values.size:
            values.flat[rng.integers(values.size, size=len(odd))] = odd
        with np.errstate(invalid='ignore', over='ignore'):
            return values.astype(kind)

    return st.builds(filled, kinds, shapes, st.integers(0, 99), st.lists(NUMBERS))


@st.composite
def images(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """An image with a mask and DQ flags of its shape."""
    data = draw(planes(low=1))
    like = _flags(data.shape)
    return data, draw(st.none() | like), draw(st.none() | like)


def _flags(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return st.builds(
        lambda seed, kind: np.random.default_rng(seed).choice(
            np.array([0, 1, 4, 64, 256, 4096], dtype=kind), shape, p=[0.8, *[0.04] * 5]
        ),
        st.integers(0, 99),
        st.sampled_from(['i2', '>i2', 'i8', 'u4']),
    )


def _quietly(work: Callable[[], Any], *refusals: type[Exception]) -> Any:
    """Return what comes of work, None where it is refused with a message."""
    kinds = refusals or REFUSED
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            return work()
        except kinds as error:
            said = error
    assert str(said)
    assert not isinstance(said, ModelIntegrityError)  # no input damages a network
    return None


@st.composite
def catalogs(draw: st.DrawFn) -> QTable:
    """Tables of columns that positions may be in, and others."""
    n = draw(st.integers(0, 5))
    names = draw(
        st.lists(
            st.sampled_from(
                [*COLUMNS, 'id', 'class_name', 'class_flags', 'extver', 'p_star', 'Å']
            ),
            unique=True,
            max_size=9,
        )
    )
    table = QTable()
    for name in names:
        kind = draw(st.sampled_from(['f8', 'f4', 'i4', 'U3', 'masked', 'unit']))
        numbers = np.array(draw(st.lists(NUMBERS, min_size=n, max_size=n)), dtype=float)
        if kind == 'masked':
            hidden = draw(st.lists(st.booleans(), min_size=n, max_size=n))
            table[name] = MaskedColumn(numbers, mask=hidden)
        elif kind == 'unit':
            table[name] = numbers * draw(st.sampled_from([u.pix, u.deg, u.Jy]))
        else:
            with np.errstate(invalid='ignore', over='ignore'):
                table[name] = numbers.astype(kind)
    return table


def bare_positions() -> st.SearchStrategy[np.ndarray]:
    """Positions in the image, beyond it, and nowhere."""
    shapes = st.tuples(st.integers(0, 5), st.just(2))
    return hnp.arrays('f8', shapes, elements=NUMBERS | st.floats(0, 9))


@some
@given(catalogs())
def test_positions_of_tables(table: QTable) -> None:
    """A row has a position, or the table is refused."""
    xy = _quietly(lambda: positions(table), CatalogError)
    if xy is not None:
        assert xy.shape == (len(table), 2)
        assert xy.dtype == np.float64


@some
@given(catalogs(), st.sampled_from(['ecsv', 'fits', 'csv', 'vot']))
def test_written_tables(table: QTable, format: str) -> None:
    """What can be written has the same positions when it is read."""
    before = _quietly(lambda: positions(table), CatalogError)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f'table.{format}'
        _quietly(lambda: write_catalog(table, path), AstrosieveError)
        if before is not None and path.is_file() and len(table):
            after = positions(read_catalog(path))
            np.testing.assert_allclose(after, before, rtol=1e-6)


@some
@given(
    images(),
    st.one_of(*[bare_positions()] * 4, catalogs()),
    st.sampled_from([None, 'electron', 'DN', 'DN/s']),
    st.sampled_from([None, 2.0, 1e-3, 49.0]),
)
def test_detections_in_any_image(
    image: tuple[np.ndarray, np.ndarray | None, np.ndarray | None],
    catalog: Any,
    unit: str | None,
    number: float | None,
) -> None:
    """Each row keeps its place; its probabilities sum to 1, or it is unscored."""
    data, mask, dq = image
    table = _quietly(
        lambda: classify_sources(
            data, catalog, mask=mask, dq=dq, unit=unit, gain=number, fwhm=number
        )
    )
    if table is None:
        return
    assert len(table) == len(catalog)
    p = np.array([table[name] for name in table.colnames if name.startswith('p_')])
    scored = np.asarray(table['class_name']) != UNSCORED
    assert np.allclose(p[:, scored].sum(axis=0), 1, atol=1e-5)
    assert np.isnan(p[:, ~scored]).all()


@some
@given(
    planes(),
    st.none() | planes(),
    st.sampled_from([None, 'Jy', 'nonsense']),
    st.sampled_from([None, 0.0, -1.0, np.nan, 60.0]),
)
def test_what_does_not_fit(
    data: np.ndarray, dq: np.ndarray | None, unit: str | None, number: float | None
) -> None:
    """What is no image, of another shape, or no number is refused with a message."""
    _quietly(lambda: classify_sources(data, [[1, 1]], dq=dq, unit=unit, fwhm=number))
    _quietly(lambda: segment_contaminants(data, dq=dq, unit=unit, gain=number))


@some
@given(planes(low=60, high=90) | planes())
def test_any_difference_image(data: np.ndarray) -> None:
    """Blobs lie within the image, with a probability each."""
    table = _quietly(lambda: find_blobs(data))
    if table is not None and len(table):
        assert (np.asarray(table['x']) < data.shape[1]).all()
        assert ((np.asarray(table['p_blob']) >= 0) & (table['p_blob'] <= 1)).all()


@some
@given(images())
def test_any_image_has_a_mask(
    image: tuple[np.ndarray, np.ndarray | None, np.ndarray | None],
) -> None:
    """A probability for each class and pixel, within 0 and 1."""
    data, mask, dq = image
    found = _quietly(lambda: segment_contaminants(data, mask=mask, dq=dq))
    if found is not None:
        assert found.probabilities.shape == (len(found.classes), *data.shape)
        known = found.probabilities[np.isfinite(found.probabilities)]
        assert ((known >= 0) & (known <= 1)).all()


@some
@given(
    planes(low=32, high=48) | planes(),
    st.dictionaries(
        st.sampled_from(['IMAGETYP', 'OBJECT', 'EXPTIME', 'LAMPID', 'INSTRUME']),
        st.none() | st.text(max_size=9) | st.integers() | st.floats() | st.booleans(),
    ),
)
def test_any_frame_has_a_type(data: np.ndarray, header: dict[str, Any]) -> None:
    """Probabilities of a frame's types sum to 1."""
    frame = _quietly(lambda: classify_frame(data, header))
    if frame is not None and np.isfinite(list(frame.probabilities.values())).all():
        assert sum(frame.probabilities.values()) == pytest.approx(1, abs=1e-4)


def triplets() -> st.SearchStrategy[np.ndarray]:
    """Stamps in three planes, some without a usable pixel."""
    sides = st.integers(15, 40)
    shapes = st.tuples(st.integers(0, 3), st.just(3), sides, sides)
    fill = st.sampled_from([np.nan, 0.0, 1e30, 5.0])
    return st.builds(
        lambda shape, seed, fill: np.where(
            np.random.default_rng(seed).random(shape) < 0.5,
            fill,
            np.random.default_rng(seed).normal(0, 5, shape),
        ),
        shapes,
        st.integers(0, 99),
        fill,
    )


@some
@given(planes(dims=(2, 4), high=9) | triplets())
def test_any_stamps_have_a_row(stamps: np.ndarray) -> None:
    """Candidates keep their places; p_real is within 0 and 1, or not known."""
    table = _quietly(lambda: score_transients(stamps))
    if table is not None:
        assert len(table) == (len(stamps) if stamps.ndim == 4 else 1)
        p = np.asarray(table['p_real'], dtype=float)
        assert (np.isnan(p) | ((p >= 0) & (p <= 1))).all()


CARDS = {
    'BUNIT': st.sampled_from(['ELECTRONS', 'DN', 'counts/s', 'furlong', '']),
    'EXPTIME': NUMBERS.filter(np.isfinite) | st.text('abc', max_size=3),
    'CCDGAIN': NUMBERS.filter(np.isfinite) | st.booleans(),
    'INSTRUME': st.sampled_from(['WFC3', 'ACS', 'WFPC2', 'NOBODY', '']),
    'DETECTOR': st.sampled_from(['UVIS', 'IR', 'WFC', '3', '']) | st.integers(0, 5),
    'CTYPE1': st.sampled_from(['RA---TAN', 'RA---TAN-SIP', 'LINEAR', 'x']),
    'CTYPE2': st.sampled_from(['DEC--TAN', 'DEC--TAN-SIP', 'LINEAR', '']),
    'CD1_1': NUMBERS.filter(np.isfinite),
    'CRVAL2': NUMBERS.filter(np.isfinite),
    'PIXVALUE': st.integers(-9, 9),
}


@some
@given(
    st.lists(
        st.tuples(
            st.sampled_from(['SCI', 'ERR', 'DQ', 'WHT', 'OTHER']),
            st.integers(1, 2),
            st.none() | planes(),
        ),
        max_size=5,
    ),
    st.fixed_dictionaries({}, optional=CARDS),
)
def test_any_exposure_is_read(
    extensions: list[tuple[str, int, np.ndarray | None]], cards: dict[str, Any]
) -> None:
    """Chips are images of real numbers, and have a table; or a message says why not."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(cards)
    for name, extver, data in extensions:
        if data is not None and data.dtype == bool:
            data = data.astype('u1')
        pixels = data if np.ndim(data) else None
        hdus.append(fits.ImageHDU(pixels, name=name, ver=extver))
        hdus[-1].header.update(cards)
    content = io.BytesIO()
    hdus.writeto(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'any_flc.fits'
        path.write_bytes(content.getvalue())
        chips = _quietly(lambda: list(read_chips(path)), ExposureError)
        for chip in chips or []:
            assert chip.sci.ndim == 2
            assert chip.sci.dtype == np.float32
        table = _quietly(lambda: classify_exposure(path), AstrosieveError)
        assert (table is None) == (chips is None)
