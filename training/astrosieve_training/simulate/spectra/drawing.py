"""Spectrographs that do not exist, drawn at random by seed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from astrosieve_training.simulate.detector import Slab
from astrosieve_training.simulate.spectra import layouts
from astrosieve_training.simulate.spectra.chance import log_uniform
from astrosieve_training.simulate.spectra.quirks import draw_quirks
from astrosieve_training.simulate.spectra.sources import LAMPS
from astrosieve_training.simulate.spectra.spectrographs import (
    CCD,
    FAMILIES,
    ORIENTATIONS,
    Spectrograph,
)
from astrosieve_training.simulate.spectra.tables import lines, names

__all__ = ['random_spectrograph']

_SIZES = (512, 1024, 1340, 2048, 2148, 3072, 4096)
_SIZE_ODDS = (0.1, 0.22, 0.14, 0.28, 0.12, 0.06, 0.08)
_BINNINGS = ((1, 1), (2, 2), (1, 2), (2, 1), (4, 4), (1, 4))
_BINNING_ODDS = (0.5, 0.24, 0.1, 0.08, 0.04, 0.04)
_CEILINGS = (65535.0, 32767.0, 60_000.0, 16383.0, 2.0**18 - 1, 2.0**20 - 1)
_CEILING_ODDS = (0.68, 0.07, 0.05, 0.03, 0.07, 0.1)
_SLOWEST = 180.0  # seconds of a readout
_LAYOUTS = {
    'long_slit': layouts.long_slit,
    'multi_slit': layouts.multi_slit,
    'fibre': layouts.fibres,
}


def _ccd(rng: np.random.Generator, binning: tuple[int, int], infrared: bool) -> CCD:
    area = float(np.sqrt(binning[0] * binning[1]))
    pitch = rng.choice([9.0, 12.0, 13.5, 15.0, 18.0, 20.0, 24.0]) * area
    thick = rng.random() < 0.3
    slab = Slab(
        pixel_um=float(pitch),
        thickness_um=float(rng.uniform(150, 300) if thick else rng.uniform(12, 45)),
        diffusion_um=float(rng.uniform(4, 8)),
        tail_share=0.0 if thick else float(rng.uniform(0, 0.4)),
    )
    gain = log_uniform(rng, 0.5, 4.0) if rng.random() < 0.8 else rng.uniform(0.12, 0.5)
    full_well = log_uniform(rng, 4e4, 3.5e5)
    ceiling = float(rng.choice(_CEILINGS, p=_CEILING_ODDS))
    pedestal = log_uniform(rng, 80, 4000) if rng.random() < 0.8 else 10_000.0
    if pedestal >= 10_000:
        pedestal = float(rng.uniform(8000, 0.5 * ceiling if ceiling < 1e5 else 3e4))
    pedestal = min(pedestal, 0.4 * ceiling)
    gain = max(gain, 0.25 * 4e4 / (ceiling - pedestal))
    read_noise = log_uniform(rng, 1.6, 8) * (1 if rng.random() < 0.85 else 3)
    number = str(
        rng.choice(['uint16', 'int16', 'int32', 'float32'], p=[0.66, 0.05, 0.05, 0.24])
    )
    if ceiling > 65535:
        number = str(rng.choice(['int32', 'float32']))
    subtracted = number == 'float32' and bool(rng.random() < 0.6)
    amplifiers = ((1, 1), (1, 2), (2, 1), (2, 2))[
        rng.choice(4, p=[0.66, 0.17, 0.06, 0.11])
    ]
    if infrared:
        amplifiers = (1, 1)
    bare = infrared or rng.random() < 0.3
    trimmed = not bare and rng.random() < 0.2
    return CCD(
        slab=slab, gain=gain,
        read_noise=read_noise,
        full_well=full_well, pedestal=pedestal, ceiling=ceiling, amplifiers=amplifiers,
        overscan=0 if bare else int(rng.integers(8, 129)) // binning[1] + 1,
        prescan=int(rng.integers(1, 60)) if not bare and rng.random() < 0.5 else 0,
        overscan_rows=0 if bare or rng.random() < 0.75 else int(rng.integers(2, 60)),
        inner=bool(rng.random() < 0.5), trimmed=trimmed,
        subtracted=subtracted, number=number,
        dark=log_uniform(rng, 3e-4, 0.02) * (20 if rng.random() < 0.2 else 1),
        hot_share=log_uniform(rng, 1e-5, 1.5e-3), hot_rate=log_uniform(rng, 0.01, 0.5),
        bad_columns=int(rng.poisson(log_uniform(rng, 0.3, 12))),
        response=float(rng.uniform(0.003, 0.02)),
        structure=log_uniform(rng, 0.03, 2) * read_noise / gain,
        glow=log_uniform(rng, 1e-4, 0.03),
        cosmic_ray_rate=log_uniform(rng, 0.015, 0.06) * (1.5 if thick else 1.0),
        infrared=infrared,
        quirks=draw_quirks(
            rng, read_noise / gain,
            real_numbers=number == 'float32', subtracted=subtracted,
        ),
    )  # fmt: skip


def _read_time(seed: int, ccd: CCD, shape: tuple[int, int]) -> float:
    """Return how long a readout takes, seconds; arrays are read and reset at once."""
    speed = log_uniform(np.random.default_rng([seed, 11]), 3e4, 1e6)
    pixels = math.prod(shape) / math.prod(ccd.amplifiers)
    return 0.0 if ccd.infrared else min(pixels / speed, _SLOWEST)


def _size(
    rng: np.random.Generator, axis: int, family: str, infrared: bool
) -> tuple[int, int, tuple[int, int]]:
    """Return pixels along and across the dispersion, and the binning in y and x."""
    along, across = (int(s) for s in rng.choice(_SIZES, 2, p=_SIZE_ODDS))
    if infrared:
        along = across = int(rng.choice([1024, 2048]))
    elif rng.random() < 0.5:  # a window about the slit
        across = int(across * rng.uniform(0.12, 0.7))
    if family == 'echelle':
        across = max(across, 1024)
    binning = _BINNINGS[0 if infrared else rng.choice(6, p=_BINNING_ODDS)]
    along, across = along // binning[axis], across // binning[1 - axis]
    along += int(rng.integers(0, 60)) if rng.random() < 0.5 else 0
    return max(along, 400), max(across, 96), binning


def _lamps(
    rng: np.random.Generator, family: str, band: tuple[float, float]
) -> tuple[str, ...]:
    """Return lamps that have lines in a band."""
    order = [LAMPS[i] for i in rng.permutation(len(LAMPS))]
    if family == 'echelle' and rng.random() < 0.7:
        order.insert(0, ('ThAr',))
    for elements in order:
        where = np.concatenate([lines(e)[0] for e in elements])
        if ((where > band[0]) & (where < min(band[1], 10_000))).sum() > 5:
            return elements
    return ('NeArKrXe',)


def random_spectrograph(
    seed: int, *, families: tuple[str, ...] = FAMILIES, infrared: bool | None = None
) -> Spectrograph:
    """
    Draw a spectrograph.

    Parameters
    ----------
    seed : int
        The same seed and families give the same instrument.
    families : tuple of str, optional
        Which to draw from; leave out those that must stay unseen.
    infrared : bool, optional
        Whether its detector is an infrared array; one in ten if not given.

    Returns
    -------
    spectrograph : `Spectrograph`
        Layout, optics, lamps and detector.

    Raises
    ------
    ValueError
        If a family is unknown.
    """
    unknown = sorted(set(families) - set(FAMILIES))
    if unknown or not families:
        msg = (
            f'families must be some of {", ".join(FAMILIES)}; got {unknown or families}'
        )
        raise ValueError(msg)
    rng = np.random.default_rng([seed, 1])
    odds = np.array([{'long_slit': 4.0}.get(f, 2.0) for f in families])
    family = str(rng.choice(families, p=odds / odds.sum()))
    drawn = bool(rng.random() < 0.1)
    infrared = drawn if infrared is None else infrared
    orientation = str(rng.choice(ORIENTATIONS))
    axis = 0 if orientation[0] == 'y' else 1
    along, across, binning = _size(rng, axis, family, infrared)
    shape = (across, along) if axis == 1 else (along, across)
    band, (start, end) = layouts.band(rng, family, infrared)
    span, middle = end - start, (start + end) / 2
    if family == 'echelle':
        slits = layouts.echelle(rng, across, band)
    else:
        sag = float(rng.normal(0, 0.015)) * span
        wave = (middle - sag, span / 2, sag)
        slits = _LAYOUTS[family](rng, across, along, wave)
    bx = binning[axis]
    ccd = _ccd(rng, binning, infrared)
    ccd = replace(ccd, read_time=_read_time(seed, ccd, shape))
    elements = _lamps(rng, family, band)
    seeing = log_uniform(rng, 2.2, 11) / binning[1 - axis]
    return Spectrograph(
        name=f'SIM{seed}', family=family, seed=seed, orientation=orientation,
        shape=shape, binning=binning, slits=slits, fibre=family == 'fibre',
        lsf=max(log_uniform(rng, 0.7, 3.5) / bx, 0.5),
        slit_width=log_uniform(rng, 1.5, 12) / bx,
        seeing=max(seeing, 1.6), wings=log_uniform(rng, 0.004, 0.05),
        scatter=log_uniform(rng, 0.002, 0.05),
        ghost=log_uniform(rng, 1e-4, 0.01) if rng.random() < 0.4 else 0.0,
        band=(float(band[0]), float(band[1])),
        peak=float(middle + rng.normal(0, 0.2) * span),
        breadth=float(max(rng.uniform(0.25, 0.7) * span, 200)), lamps=elements,
        arc_rate=log_uniform(rng, 600, 3e5), flat_rate=log_uniform(rng, 300, 5e4),
        flat_temperature=float(rng.uniform(2400, 3500)),
        sky_rate=log_uniform(rng, 0.002, 0.2) * bx,
        site=str(rng.choice(names('extinction'))),
        fringes=float(rng.uniform(0.005, 0.07)) if rng.random() < 0.7 else 0.0,
        ccd=ccd,
    )  # fmt: skip
