"""
Simulated beside real: cosmic rays by their distributions, frames by eye.

The same segmentation measures simulated and real hits, so that what it does to one it
does to the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from scipy import stats

from astrosieve_training.simulate.cameras import load_camera
from astrosieve_training.simulate.cosmic_rays import cosmic_ray_image
from astrosieve_training.simulate.exposure import simulate_exposure
from astrosieve_training.simulate.real_hits import (
    LEAST,
    SOURCES,
    Hits,
    cosmic_ray_statistics,
    real_hits,
)
from astrosieve_training.simulate.scene import SceneConfig

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

__all__ = ['compare_hits', 'plot_frames', 'plot_hits', 'simulated_hits']

QUANTITIES = ('length', 'width', 'peak', 'total')


def simulated_hits(
    source: str, rng: np.random.Generator, *, n_pixels: int = 1000
) -> Hits:
    """
    Simulate hits on the detector of a set of real ones and measure them alike.

    Parameters
    ----------
    source : str
        As in `real_hits`.
    rng : `~numpy.random.Generator`
        Source of chance.
    n_pixels : int, optional
        Side of the image.

    Returns
    -------
    hits : `Hits`
        Electrons.
    """
    setting = SOURCES[source]
    shape = (n_pixels, n_pixels)
    # LSST's darks were taken on a stand with the detector upright.
    made = cosmic_ray_image(
        shape, setting.slab, rng, rate=setting.rate, exptime=setting.exptime,
        site=setting.site, tilt=90.0,
    )  # fmt: skip
    image = made.image + setting.noise * rng.standard_normal(shape)
    hits = cosmic_ray_statistics(
        image, setting.noise, nsigma=setting.nsigma, low=setting.low
    )
    return hits[np.asarray(hits.table['total']) > LEAST]


def compare_hits(real: Hits, simulated: Hits) -> dict[str, dict[str, float]]:
    """
    Compare distributions.

    Parameters
    ----------
    real, simulated : `Hits`
        Of the same kind.

    Returns
    -------
    comparison : dict
        For each of length, width, peak and total: ``ks`` (Kolmogorov-Smirnov distance),
        ``p`` (its probability), medians ``real`` and ``simulated``.
    """
    out = {}
    for name in QUANTITIES:
        a, b = np.asarray(real.table[name]), np.asarray(simulated.table[name])
        test = stats.ks_2samp(a, b)
        out[name] = {
            'ks': float(test.statistic),
            'p': float(test.pvalue),
            'real': float(np.median(a)),
            'simulated': float(np.median(b)),
        }
    return out


def plot_hits(folder: Path, rng: np.random.Generator) -> tuple[Figure, dict]:
    """
    Plot the distributions of simulated and real hits.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The data directory.
    rng : `~numpy.random.Generator`
        Source of chance for the simulated ones.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        One row for each set of real hits, one column for each quantity.
    comparison : dict
        For each set what `compare_hits` gives.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 10), layout='constrained')
    axes = figure.subplots(len(SOURCES), len(QUANTITIES))
    titles = {
        'wfpc2': 'WFPC2, NGC 4151', 'uvis': 'WFC3/UVIS, Pluto', 'lsst': 'LSST darks',
    }  # fmt: skip
    units = {
        'length': 'length (pixels)', 'width': 'width (pixels)',
        'peak': 'peak (electrons)', 'total': 'total charge (electrons)',
    }  # fmt: skip
    comparison = {}
    for row, source in zip(axes, SOURCES, strict=True):
        real = real_hits(folder, source)
        simulated = simulated_hits(source, rng, n_pixels=1500)
        result = comparison[source] = compare_hits(real, simulated)
        for axis, name in zip(row, QUANTITIES, strict=True):
            both = np.concatenate([real.table[name], simulated.table[name]])
            low, high = np.percentile(both, [0.2, 99.8])
            space = np.linspace if name == 'width' else np.geomspace
            bins = space(max(low, 0.9), high, 26)
            for hits, label, style in (
                (real, 'real', {'color': 'black', 'lw': 1.6}),
                (simulated, 'simulated', {'color': 'tab:orange', 'lw': 1.6}),
            ):
                count, _ = np.histogram(hits.table[name], bins)
                total = max(len(hits.table), 1)
                axis.stairs(
                    count / total, bins, label=f'{label} ({total})', **style
                )  # fmt: skip
            axis.set_xscale('linear' if name == 'width' else 'log')
            axis.set_xlabel(units[name])
            axis.set_title(f'{titles[source]}: KS {result[name]["ks"]:.2f}', size=10)
            axis.legend(fontsize=8, frameon=False)
        row[0].set_ylabel('share of hits')
    return figure, comparison


def _frame_pairs(folder: Path, seed: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    hst = folder / 'hst'
    uvis = fits.getdata(hst / 'wfc3uvis_pluto1_f606w_flt.fits', 'SCI')
    raw = fits.getdata(hst / 'acshrc_47tuc_f606w_j8bt06o6q_raw.fits.gz', 1)
    raw = raw.astype(float)
    hrc = 2.216 * (raw - np.median(raw[:, 2:18]))[20:1044, 19:1043]
    pc = fits.getdata(hst / 'wfpc2pc_ngc1261_f336w_single.fits', 1)
    scenes = {
        'wfc3-uvis-f606w': SceneConfig(
            'trailed', star_density=0, bright_stars=8, trail_density=700,
            trail_length=(17, 18), trail_angle=(112, 113), galaxy_density=5,
            saturation=60, faint_snr=7, slope=0.45,
        ),
        'acs-hrc-f606w': SceneConfig(
            'globular', star_density=13000, slope=0.42, bright_stars=15, saturation=6,
            core_radius=0.5, faint_snr=3, galaxy_density=0,
        ),
        'wfpc2-pc-f336w': SceneConfig(
            'globular', star_density=14000, slope=0.75, bright_stars=3, saturation=1.5,
            core_radius=0.6, faint_snr=2, galaxy_density=0,
        ),
    }  # fmt: skip
    names = {
        'wfc3-uvis-f606w': ('WFC3/UVIS F606W, 479 s', uvis, 479.0),
        'acs-hrc-f606w': ('ACS/HRC F606W, 60 s', hrc, 60.0),
        'wfpc2-pc-f336w': ('WFPC2/PC1 F336W, 700 s', pc, 700.0),
    }
    pairs = []
    for name, (title, real, exptime) in names.items():
        camera = load_camera(name)
        if name == 'acs-hrc-f606w':
            # The raw frame's dark current and flat are still in it.
            camera = replace(camera, hot_fraction=0.01, warm_fraction=0.02)
        exposure = simulate_exposure(
            camera, seed=seed, shape=real.shape, scene=scenes[name], exptime=exptime
        )
        pairs.append((title, np.asarray(real, float), exposure.sci.astype(float)))
    return pairs


def plot_frames(folder: Path, *, seed: int = 5, size: int = 400) -> Figure:
    """
    Plot simulated beside real frames at the same stretch.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The data directory.
    seed : int, optional
        Of the simulated exposures.
    size : int, optional
        Side of the part that is shown, pixels.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        One row for each of UVIS, HRC and WFPC2: real, simulated, and a part of each,
        enlarged three times.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 12.4), layout='constrained')
    axes = figure.subplots(3, 4)
    for row, (title, real, simulated) in zip(
        axes, _frame_pairs(folder, seed), strict=True
    ):
        y0, x0 = ((n - size) // 2 + min(40, (n - size) // 2) for n in real.shape)
        sky = np.median(real)
        sigma = 1.4826 * np.median(np.abs(real - sky))
        span = size // 3
        for axis, image, name, extent in (
            (row[0], real, 'real', size), (row[1], simulated, 'simulated', size),
            (row[2], real, 'real, enlarged', span),
            (row[3], simulated, 'simulated, enlarged', span),
        ):  # fmt: skip
            # The zero of the sky is the real one's; the scale is the same.
            shown = image - np.median(image)
            cut = shown[y0 : y0 + extent, x0 : x0 + extent]
            scaled = np.arcsinh(np.clip(cut, -3 * sigma, 150 * sigma) / (3 * sigma))
            axis.imshow(
                scaled, origin='lower', cmap='gray', vmin=np.arcsinh(-1),
                vmax=np.arcsinh(50), interpolation='nearest',
            )  # fmt: skip
            axis.set_title(f'{title}: {name}', size=10)
            axis.set_xticks([])
            axis.set_yticks([])
    return figure
