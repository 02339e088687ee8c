"""Candidates with known truth, packets of two surveys, and a model of means."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.models.cards import ModelCard, OperatingPoint
from astrosieve.models.registry import Model, load_model, sha256_of

CLASSES = ('transient', 'variable', 'dipole', 'noise')


def source(
    n: int, *, flux: float, fwhm: float = 2.5, at: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """Return a Gaussian about the centre of n x n pixels, or beside it."""
    y, x = np.mgrid[:n, :n] - n // 2
    sigma = fwhm / 2.3548
    return flux * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * sigma**2))


def drawn(
    n: int = 63, *, flux: float = 50.0, fwhm: float = 2.5, seed: int = 1
) -> np.ndarray:
    """Return a triplet of a new source, or of none, over noise of 1 and a sky."""
    rng = np.random.default_rng(seed)
    new = source(n, flux=flux, fwhm=fwhm)
    star = source(n, flux=80, fwhm=fwhm, at=(n // 4, -n // 5))
    planes = np.stack([90 + star + new, 70 + star, new])
    return (planes + rng.normal(0, 1, planes.shape)).astype(np.float32)


@pytest.fixture(name='drawn', scope='session')
def drawn_() -> Callable[..., np.ndarray]:
    """Return the function that draws triplets."""
    return drawn


def stamps_of(reals: str, **kwargs: Any) -> np.ndarray:
    """Return the triplets of a text: r is real, b is bogus."""
    return np.stack(
        [
            drawn(flux=50.0 * (each == 'r'), seed=k, **kwargs)
            for k, each in enumerate(reals)
        ]
    )


@pytest.fixture(name='stamps_of', scope='session')
def stamps_of_() -> Callable[..., np.ndarray]:
    """Return the function that makes stamps of a text."""
    return stamps_of


@pytest.fixture(scope='session')
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model that calls real what is bright at the centre of the difference."""
    onnx = pytest.importorskip('onnx')
    from onnx import TensorProto, helper, numpy_helper

    size = 13 * 31 * 31
    weights = np.zeros((13, 31, 31, len(CLASSES)), np.float32)
    weights[2, 14:17, 14:17, 0] = 20 / 9
    weights[2, 14:17, 14:17, 3] = -20 / 9
    inputs = [
        helper.make_tensor_value_info('stamps', TensorProto.FLOAT, ['n', 13, 31, 31]),
        helper.make_tensor_value_info('told', TensorProto.FLOAT, ['n', 5]),
    ]
    output = helper.make_tensor_value_info(
        'logits', TensorProto.FLOAT, ['n', len(CLASSES)]
    )
    told = np.zeros((5, len(CLASSES)), np.float32)
    graph = helper.make_graph(
        [
            helper.make_node('Flatten', ['stamps'], ['flat']),
            helper.make_node('MatMul', ['flat', 'weights'], ['seen']),
            helper.make_node('MatMul', ['told', 'of_told'], ['known']),
            helper.make_node('Add', ['seen', 'known'], ['both']),
            helper.make_node('Add', ['both', 'offsets'], ['logits']),
        ],
        'means',
        inputs,
        [output],
        [
            numpy_helper.from_array(weights.reshape(size, -1), 'weights'),
            numpy_helper.from_array(told, 'of_told'),
            numpy_helper.from_array(np.float32([-10, -10, -4, 10]), 'offsets'),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    made.ir_version = 8
    onnx.checker.check_model(made)
    content = made.SerializeToString()
    path = tmp_path_factory.mktemp('model') / 'means.onnx'
    path.write_bytes(content)
    card = ModelCard(
        name='means', version='1.0', task='transient', description='Bright or not.',
        classes=CLASSES, preprocessing='stamps-1', inputs={},
        sha256=sha256_of(content), temperature=1.0,
        class_prior=dict.fromkeys(CLASSES, 0.25),
        operating_points={
            'balanced': OperatingPoint(0.6, 'p_real', {}, 'none'),
            'pure': OperatingPoint(0.9999999, 'p_real', {}, 'none'),
        },
        training_data='none', split='none', seed=0, licence='BSD-3-Clause',
    )  # fmt: skip
    path.with_suffix('.json').write_text(card.to_json())
    return load_model(Path(path), threads=2)


def cutout(plane: np.ndarray, *, packed: bool = True) -> bytes:
    """Return a plane as a FITS file, gzipped."""
    file = BytesIO()
    fits.PrimaryHDU(plane).writeto(file)
    return gzip.compress(file.getvalue(), 1) if packed else file.getvalue()


_ZTF_CUTOUT = {
    'type': 'record',
    'name': 'cutout',
    'fields': [
        {'name': 'fileName', 'type': 'string'},
        {'name': 'stampData', 'type': 'bytes'},
    ],
}
ZTF_SCHEMA = {
    'type': 'record',
    'name': 'alert',
    'namespace': 'ztf',
    'fields': [
        {'name': 'schemavsn', 'type': 'string'},
        {'name': 'objectId', 'type': 'string'},
        {'name': 'candid', 'type': 'long'},
        {
            'name': 'candidate',
            'type': {
                'type': 'record',
                'name': 'candidate',
                'fields': [
                    {'name': 'jd', 'type': 'double'},
                    {'name': 'fid', 'type': 'int'},
                    {'name': 'isdiffpos', 'type': 'string'},
                    {'name': 'rb', 'type': ['null', 'float'], 'default': None},
                ],
            },
        },
        {'name': 'cutoutScience', 'type': ['null', _ZTF_CUTOUT], 'default': None},
        {'name': 'cutoutTemplate', 'type': ['null', 'ztf.cutout'], 'default': None},
        {'name': 'cutoutDifference', 'type': ['null', 'ztf.cutout'], 'default': None},
    ],
}
RUBIN_SCHEMA = {
    'type': 'record',
    'name': 'alert',
    'namespace': 'lsst.v7_4',
    'fields': [
        {'name': 'alertId', 'type': 'long'},
        {
            'name': 'diaSource',
            'type': {
                'type': 'record',
                'name': 'diaSource',
                'fields': [
                    {'name': 'diaSourceId', 'type': 'long'},
                    {'name': 'diaObjectId', 'type': ['null', 'long'], 'default': None},
                    {'name': 'midpointMjdTai', 'type': 'double'},
                    {'name': 'band', 'type': 'string'},
                ],
            },
        },
        {'name': 'cutoutDifference', 'type': ['null', 'bytes'], 'default': None},
        {'name': 'cutoutScience', 'type': ['null', 'bytes'], 'default': None},
        {'name': 'cutoutTemplate', 'type': ['null', 'bytes'], 'default': None},
    ],
}


def ztf_record(
    planes: np.ndarray, number: int, *, object: str = 'ZTF21aaaaaaa'
) -> dict[str, Any]:
    """Return a packet of ZTF's form."""
    names = ('cutoutScience', 'cutoutTemplate', 'cutoutDifference')
    cutouts = {
        name: {'fileName': f'{number}_{name}.fits.gz', 'stampData': cutout(plane)}
        for name, plane in zip(names, planes, strict=True)
    }
    return {
        'schemavsn': '3.3',
        'objectId': object,
        'candid': 2000000000000000000 + number,
        'candidate': {'jd': 2459000.5 + number, 'fid': 1, 'isdiffpos': 't', 'rb': 0.5},
        **cutouts,
    }


def rubin_record(planes: np.ndarray, number: int) -> dict[str, Any]:
    """Return a packet of Rubin's form."""
    science, template, difference = planes
    return {
        'alertId': 170000000 + number,
        'diaSource': {
            'diaSourceId': 170000000 + number,
            'diaObjectId': 313000 + number // 2,
            'midpointMjdTai': 60900.0 + number,
            'band': 'r',
        },
        'cutoutDifference': cutout(difference),
        'cutoutScience': cutout(science, packed=False),
        'cutoutTemplate': cutout(template),
    }


def avro(schema: dict[str, Any], records: list[dict[str, Any]]) -> bytes:
    """Return a file of packets."""
    fastavro = pytest.importorskip('fastavro')
    file = BytesIO()
    fastavro.writer(file, fastavro.parse_schema(schema), records)
    return file.getvalue()


class Packets:
    """What makes packets."""

    ztf_schema = ZTF_SCHEMA
    rubin_schema = RUBIN_SCHEMA
    ztf_record = staticmethod(ztf_record)
    rubin_record = staticmethod(rubin_record)
    avro = staticmethod(avro)

    def ztf(self, *records: dict[str, Any]) -> bytes:
        """Return a file of ZTF's packets."""
        return avro(ZTF_SCHEMA, list(records))


@pytest.fixture(scope='session')
def packets() -> Packets:
    """What makes packets; without fastavro the test is skipped."""
    pytest.importorskip('fastavro')
    return Packets()
