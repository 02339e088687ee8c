"""Maps of an image's contaminants: made, kept and saved; nothing knows of widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.contaminant.files import write_contaminants
from astrosieve.contaminant.segment import Contaminants, segment_image
from astrosieve.contaminant.verdict.judge import verdict_of
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import load_model
from astrosieve_plugins.ginga_classify.shown import Target, read_target
from astrosieve_plugins.ginga_classify.work import Job

__all__ = ['Mapped', 'map_image', 'save']

_LISTED = 4  # classes in a line


@dataclass(frozen=True, eq=False)
class Mapped:
    """
    An image's map.

    Parameters
    ----------
    key : tuple
        Of the `~astrosieve_plugins.ginga_classify.shown.Target`.
    name : str
        Of the image.
    found : `~astrosieve.contaminant.Contaminants`
        The map.
    extver : int
        Version of the extension.
    wcs : `~astropy.wcs.WCS` or None
        Of the image.
    """

    key: tuple
    name: str
    found: Contaminants
    extver: int = 1
    wcs: Any = None

    def shares(self) -> dict[str, float]:
        """Return the share of the pixels that each class holds."""
        return {
            name: float(self.found.where(name).mean()) for name in self.found.classes
        }

    def at(self, x: float, y: float) -> dict[str, float]:
        """
        Return the probabilities in a pixel, by class.

        Parameters
        ----------
        x, y : float
            Position, pixels, 0-based.

        Returns
        -------
        probabilities : dict of str to float
            Empty outside of the image; NaN where the pixel is not usable.
        """
        column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        ny, nx = self.found.mask.shape
        if not (0 <= row < ny and 0 <= column < nx):
            return {}
        values = self.found.probabilities[:, row, column].astype(float)
        return dict(zip(self.found.classes, values.tolist(), strict=True))

    def summary(self) -> str:
        """Say what the image has most of, and whether it failed as a whole."""
        shares = self.shares()
        most = sorted((n for n in shares if shares[n]), key=lambda n: -shares[n])
        said = ', '.join(
            f'{100 * shares[name]:.2g} % {name.replace("_", " ")}'
            for name in most[:_LISTED]
        )
        verdict = self.found.verdict
        failed = f'; {verdict}' if verdict and verdict.failures else ''
        return f'{self.name}: {said or "nothing found"}{failed}'


def map_image(target: Target, model: str, job: Job) -> Mapped:
    """
    Map what a channel shows.

    Parameters
    ----------
    target : `~astrosieve_plugins.ginga_classify.shown.Target`
        What is shown.
    model : str
        Name or path of the model.
    job : `~astrosieve_plugins.ginga_classify.work.Job`
        Watches.

    Returns
    -------
    mapped : `Mapped`

    Raises
    ------
    AstrosieveError
        If it cannot be done.
    CancelledError
        If it is not wanted any more.
    """
    with job.alone():
        job.step(0.02, f'reading {target.name}')
        loaded = load_model(model, task='contaminant')
        chip = read_target(target, job)
        image = MeasuredImage.of_chip(chip)
        job.step(0.1, f'{chip.name}: mapping')

        def watch(share: float) -> None:
            job.step(0.1 + 0.9 * share, f'{chip.name}: mapping')

        found = segment_image(image, loaded, on_part=watch)
        found = replace(found, said=verdict_of(image))
        return Mapped(target.key, target.name, found, chip.extver, chip.wcs)


def save(mapped: Mapped, path: Path) -> str:
    """Write a map as ``astrosieve segment`` does; return what to say."""
    write_contaminants(
        mapped.found, path, image=mapped.name, extver=mapped.extver, wcs=mapped.wcs,
        overwrite=True,
    )  # fmt: skip
    return f'PROB and MASK of {len(mapped.found.classes)} classes -> {path}'
