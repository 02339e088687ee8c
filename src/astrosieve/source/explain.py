"""Why a detection has its class, by occlusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike

from astrosieve.classes import UNSCORED
from astrosieve.exceptions import CatalogError
from astrosieve.images.dq import DQMeaning
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.units import PixelUnit
from astrosieve.models.registry import Model, load_model
from astrosieve.source.classify import as_table, classify_image, image_for
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.preprocessing import fit_image, get_preprocessing
from astrosieve.source.widths import averaged
from astrosieve.tables.catalogs import positions

__all__ = ['Explanation', 'View', 'explain_image', 'explain_source']


@dataclass(frozen=True)
class View:
    """
    One of the images that a network sees of a detection.

    Parameters
    ----------
    scale : int
        Pixels of the exposure to one of the view's, along a side.
    cutout : 2D `~numpy.ndarray`
        Pixels as the network sees them.
    saliency : 2D `~numpy.ndarray`
        How much the log-odds of the class fall when the 3x3 pixels about each
        pixel show only sky; negative where those pixels speak against it.
    """

    scale: int
    cutout: np.ndarray
    saliency: np.ndarray


@dataclass(frozen=True)
class Explanation:
    """
    Why a detection has its class.

    Parameters
    ----------
    position : tuple of float
        ``(x, y)``, pixels, 0-based.
    class_name : str
        As `~astrosieve.classify_sources` gives it.
    probabilities : dict of str to float
        By class.
    flags : tuple of str
        Names of the bits of ``class_flags``.
    views : tuple of `View`
        What the network sees, the innermost first.
    """

    position: tuple[float, float]
    class_name: str
    probabilities: dict[str, float]
    flags: tuple[str, ...]
    views: tuple[View, ...]

    @property
    def cutout(self) -> np.ndarray:
        """Pixels about the detection, as the network sees them."""
        return self.views[0].cutout

    @property
    def saliency(self) -> np.ndarray:
        """Saliency of these pixels."""
        return self.views[0].saliency


def explain_source(
    data: ArrayLike | u.Quantity,
    position: tuple[float, float],
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    err: ArrayLike | None = None,
    unit: str | u.UnitBase | PixelUnit | None = None,
    *,
    model: str | Model = 'source',
    gain: float | u.Quantity | None = None,
    exptime: float | u.Quantity | None = None,
    fwhm: float | u.Quantity | None = None,
    dq_bits: DQMeaning | None = None,
    **options: Any,
) -> Explanation:
    """
    Explain the class of one detection, by occlusion.

    Each 3x3 box of the cutout is replaced by sky in turn, and the network asked
    again (Zeiler & Fergus 2014, ECCV, 818).

    Parameters
    ----------
    data, mask, dq, err, unit
        As for `~astrosieve.classify_sources`.
    position : tuple of float
        ``(x, y)``, pixels, 0-based.
    model, gain, exptime, fwhm, dq_bits : optional
        As for `~astrosieve.classify_sources`.
    **options
        Further options of `~astrosieve.classify_sources`.

    Returns
    -------
    explanation : `Explanation`

    Raises
    ------
    CatalogError
        If the detection cannot be scored; the message says why.
    """
    loaded = load_model(model, task='source')
    image = image_for(
        loaded,
        data,
        mask=mask,
        dq=dq,
        err=err,
        unit=unit,
        gain=gain,
        exptime=exptime,
        fwhm=fwhm,
        dq_bits=dq_bits,
    )
    return explain_image(image, position, model=loaded, **options)


def explain_image(
    image: MeasuredImage,
    position: tuple[float, float],
    *,
    model: str | Model = 'source',
    **options: Any,
) -> Explanation:
    """
    Explain the class of one detection in an image that knows itself.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.
    position, model, **options
        As for `explain_source`.

    Returns
    -------
    explanation : `Explanation`

    Raises
    ------
    CatalogError
        If the detection cannot be scored; the message says why.
    """
    loaded = load_model(model, task='source')
    xy = positions(as_table([position]))
    row = classify_image(image, xy, model=loaded, **options)[0]
    flags = CLASS_FLAGS.decode(row['class_flags'])
    name = str(row['class_name'])
    if name == UNSCORED:
        reasons = ', '.join(flag for flag in flags if flag != UNSCORED)
        msg = f'the detection at {position} has no class to explain: {reasons}'
        raise CatalogError(msg)
    preprocessing = get_preprocessing(loaded.card.preprocessing)
    fitted = fit_image(preprocessing, image)
    inputs = fitted(xy).inputs
    number = loaded.card.classes.index(name)
    return Explanation(
        position=(float(position[0]), float(position[1])),
        class_name=name,
        probabilities={c: float(row[f'p_{c}']) for c in loaded.card.classes},
        flags=tuple(flags),
        views=tuple(
            View(
                scale,
                inputs[key][0, 0],
                _occlusion(loaded, inputs, key, fitted.fill[key], number),
            )
            for key, scale in preprocessing.scales.items()
        ),
    )


def _occlusion(
    model: Model, inputs: dict[str, np.ndarray], name: str, fill: float, number: int
) -> np.ndarray:
    """Return by how much the log-odds of a class fall where an input is hidden."""

    def log_odds(images: np.ndarray) -> np.ndarray:
        rows = {
            key: images if key == name else np.repeat(value, len(images), axis=0)
            for key, value in inputs.items()
        }
        p = averaged(model.predict, rows)[:, number].astype(float)
        p = p.clip(1e-6, 1 - 1e-6)
        return np.log(p / (1 - p))

    shape = inputs[name].shape[-2:]
    hidden = np.repeat(inputs[name], shape[0] * shape[1], axis=0)
    for i, (y, x) in enumerate(np.ndindex(shape)):
        box = (slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2))
        hidden[i, 0][box] = fill
    change = log_odds(inputs[name])[0] - log_odds(hidden)
    return np.asarray(change.reshape(shape))
