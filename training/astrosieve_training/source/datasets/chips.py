"""A chip, its detections, and what networks and baselines see of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astrosieve.images.background import measure_background
from astrosieve.images.dq import dq_to_mask
from astrosieve.images.exposures import Chip
from astrosieve.images.measured import DEFAULT_FWHM, chip_fwhm
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.images.units import electron_scale
from astrosieve.source.finders import detect
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve.tables.catalogs import positions
from astrosieve_training.source.config import FinderConfig

__all__ = ['ChipImage']


Measure = Callable[[np.ndarray, np.ndarray, float, Any], Table]


@dataclass(frozen=True)
class ChipImage:
    """
    A chip with what is measured on it once.

    Parameters
    ----------
    chip : `~astrosieve.images.exposures.Chip`
        The chip.
    spoilt : 2D uint8 `~numpy.ndarray` or None
        As from `~astrosieve.images.pixels.spoilt_pixels`.
    fwhm : float or None
        FWHM of the PSF, pixels; None where it is not known.
    """

    chip: Chip
    spoilt: np.ndarray | None
    fwhm: float | None

    @classmethod
    def of(
        cls, chip: Chip, *, use_dq: bool = True, fwhm: float | None = None
    ) -> ChipImage:
        """
        Measure a chip.

        Parameters
        ----------
        chip : `~astrosieve.images.exposures.Chip`
            The chip.
        use_dq : bool, optional
            Whether pixels that DQ calls without signal are filled.
        fwhm : float, optional
            FWHM of the PSF; estimated where it is not given.
        """
        lost = None
        if use_dq and chip.dq is not None:
            lost = dq_to_mask(chip.dq, chip.dq_meaning.no_signal)
        spoilt = spoilt_pixels(chip.sci, mask=chip.mask, no_signal=lost)
        return cls(chip, spoilt, chip_fwhm(chip, fwhm, spoilt=spoilt))

    @property
    def kernel_width(self) -> float:
        """Width that finders are given."""
        return DEFAULT_FWHM if self.fwhm is None else self.fwhm

    def find(self, finders: Sequence[FinderConfig]) -> Table:
        """Return ``x``, ``y``, ``finder`` of all that the finders find."""
        chip = self.chip
        background = measure_background(chip.sci, spoilt=self.spoilt)
        scale, _ = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
        found = [np.empty((0, 2))]
        names: list[str] = []
        for finder in finders:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', AstropyUserWarning)
                table = detect(
                    chip.sci,
                    finder.name,
                    fwhm=self.kernel_width,
                    nsigma=finder.nsigma,
                    scale=scale,
                    spoilt=self.spoilt,
                    background=background,
                )
            if table is not None and len(table):
                found.append(positions(table))
                names += [finder.label] * len(table)
        xy = np.concatenate(found)
        return Table({'x': xy[:, 0], 'y': xy[:, 1], 'finder': np.array(names, 'U16')})

    def inputs(self, xy: np.ndarray, preprocessing: str) -> dict[str, np.ndarray]:
        """
        Return what a network sees, and rows about it.

        Keys that begin with 'input_' are inputs, with 'row_' columns.
        """
        fitted = get_preprocessing(preprocessing).fit(
            self.chip.sci, spoilt=self.spoilt, fwhm=self.fwhm
        )
        batch = fitted(xy)
        arrays = {f'input_{key}': value for key, value in batch.inputs.items()}
        arrays['row_valid'] = batch.valid
        arrays['row_edge'] = CLASS_FLAGS.any_set(batch.flags, 'edge')
        arrays['row_fill'] = np.full(len(xy), fitted.fill['cutouts'], dtype=np.float32)
        return arrays

    def measured(self, xy: np.ndarray, measure: Measure) -> dict[str, np.ndarray]:
        """Return the columns that baselines need."""
        level = measure_background(self.chip.sci, spoilt=self.spoilt).level
        data = self.chip.sci - np.float32(level)
        if self.spoilt is not None:
            data[self.spoilt != 0] = 0
        columns = measure(data, xy, self.kernel_width, self.chip)
        return {f'row_{name}': np.asarray(columns[name]) for name in columns.colnames}
