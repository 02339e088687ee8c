"""What several tests of training look at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.table import Table, vstack

if TYPE_CHECKING:
    from torch import nn

    from astrosieve.images.exposures import Chip
    from astrosieve_training.simulate.truth import Truth


@pytest.fixture(scope='session')
def converted_once() -> Iterator[None]:
    """A network is made ONNX once; later exports compare what was made with it."""
    pytest.importorskip('torch')
    from astrosieve_training.learn import export

    convert, made = export.onnx_bytes, {}

    def once(
        network: nn.Module, shapes: Mapping[str, tuple[int, ...]], **size: Any
    ) -> bytes:
        digest = hashlib.sha256(repr((network, shapes, size)).encode())
        for name, value in network.state_dict().items():
            digest.update(name.encode() + value.numpy().tobytes())
        key = digest.digest()
        if key not in made:
            made[key] = convert(network, shapes, **size)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, 'onnx_bytes', once)
        yield


@dataclass(frozen=True)
class Dithered:
    """A dithered set, its peaks, and what they are in truth; not to be changed."""

    exposures: list[list[Chip]]
    truths: list[Truth]
    peaks: Table
    labels: Table

    def of_class(self, name: str, snr: float = 30.0) -> np.ndarray:
        """Return which peaks are surely of a class, and not saturated."""
        labels = self.labels
        good = np.asarray(labels['label'] == name) & ~np.asarray(labels['contested'])
        good &= np.asarray(labels['snr'] > snr) & ~np.asarray(labels['saturated'])
        return good


@pytest.fixture(scope='session')
def dithered(tmp_path_factory: pytest.TempPathFactory) -> Dithered:
    """Four exposures of a globular cluster, 256 pixels wide."""
    from astrosieve.images.exposures import read_chips
    from astrosieve.tables.catalogs import positions
    from astrosieve_training.simulate import load_camera
    from astrosieve_training.simulate.exposure import simulate_dithered_set
    from astrosieve_training.simulate.truth import label_positions
    from astrosieve_training.source.label.peaks import find_peaks
    from astrosieve_training.source.label.places import SkyFrame
    from astrosieve_training.source.label.settings import PeakSettings

    folder = tmp_path_factory.mktemp('dithered')
    made = simulate_dithered_set(
        load_camera('demo'), 4, seed=5, shape=(256, 256), scene='globular',
        exptime=800.0,
    )  # fmt: skip
    exposures = []
    for i, exposure in enumerate(made):
        exposure.write(folder / f'e{i}_flc.fits')
        exposures.append(list(read_chips(folder / f'e{i}_flc.fits')))
    frame = SkyFrame([chip for chips in exposures for chip in chips])
    peaks = find_peaks(exposures, frame, PeakSettings())
    truths = [exposure.truth for exposure in made]
    labels = vstack(
        [
            label_positions(truth, positions(peaks[peaks['exposure'] == number]))
            for number, truth in enumerate(truths)
        ]
    )
    return Dithered(exposures, truths, peaks, labels)
