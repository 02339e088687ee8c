"""Make the exposure that travels with the core (run as a module, with a folder)."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from astropy.table import QTable

from astrosieve.atomic import atomic_path
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.finders import detect
from astrosieve.tables.catalogs import positions, write_catalog
from astrosieve_training.simulate import (
    SceneConfig,
    SimulatedExposure,
    label_positions,
    load_camera,
    simulate_exposure,
)

__all__ = ['demo_truth', 'simulate_demo', 'write_demo']

SEED = 20241
SCENE = SceneConfig(
    name='demo',
    star_density=1000,
    faint_snr=6,
    slope=0.55,
    saturation=60,
    bright_stars=25,
    galaxy_density=60,
)


def simulate_demo() -> SimulatedExposure:
    """
    Simulate the exposure: simulated optics, hits and noise, no observed pixel.

    Returns
    -------
    exposure : `~astrosieve_training.simulate.SimulatedExposure`
        Pixels rounded to 1/16 electron, far below the noise, so that they compress.
    """
    exposure = simulate_exposure(load_camera('demo'), seed=SEED, scene=SCENE)
    chips = tuple(
        replace(
            chip, sci=np.round(chip.sci * 16) / 16, err=np.round(chip.err * 16) / 16
        )
        for chip in exposure.chips
    )
    return replace(exposure, chips=chips)


def demo_truth(exposure: SimulatedExposure, *, nsigma: float = 4.0) -> QTable:
    """
    Label what the finders detect in an exposure.

    Parameters
    ----------
    exposure : `~astrosieve_training.simulate.SimulatedExposure`
        With its truth.
    nsigma : float, optional
        Threshold, below the default of ``classify``.

    Returns
    -------
    truth : `~astropy.table.QTable`
        ``x_centroid``, ``y_centroid``, ``label``, ``contested``, ``snr``.
    """
    image = MeasuredImage.of(exposure.sci, fwhm=1.8)
    found = (detect(image, name, nsigma=nsigma) for name in ('peaks', 'dao'))
    xy = np.concatenate([positions(table) for table in found])
    labels = label_positions(exposure.truth, xy)
    return QTable(
        {
            'x_centroid': xy[:, 0].round(2),
            'y_centroid': xy[:, 1].round(2),
            'label': labels['label'],
            'contested': labels['contested'],
            'snr': labels['snr'].round(1),
        }
    )


def write_demo(folder: str | Path) -> None:
    """
    Write ``demo_flc.fits.gz`` and ``demo_truth.ecsv``, replacing what is there.

    Parameters
    ----------
    folder : path-like
        Where.
    """
    exposure = simulate_demo()
    content = io.BytesIO()
    exposure.to_hdulist('demo00001').writeto(content)
    with atomic_path(Path(folder) / 'demo_flc.fits.gz', overwrite=True) as temporary:
        # Without a time of its own the same pixels are the same file.
        temporary.write_bytes(gzip.compress(content.getvalue(), 9, mtime=0))
    truth = Path(folder) / 'demo_truth.ecsv'
    write_catalog(demo_truth(exposure), truth, overwrite=True)


@click.command()
@click.argument('folder', type=click.Path(path_type=Path, file_okay=False, exists=True))
def main(folder: Path) -> None:
    """Write the demo exposure and its truth into FOLDER."""
    write_demo(folder)


if __name__ == '__main__':
    main()
