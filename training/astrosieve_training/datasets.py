"""
Sets of labelled detections, for training, calibration and judgement.

A set holds what the networks see (the inputs that the core's preprocessing
makes) and, row by row, the truth and what baselines need. Simulated exposures
are made in memory from their plan; only the detections are kept, in one cache
file per exposure, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from astropy.utils.exceptions import AstropyUserWarning

from astrosieve import psf
from astrosieve._flags import CLASS_FLAGS
from astrosieve.atomic import atomic_path
from astrosieve.catalogs import positions
from astrosieve.dq import dq_to_mask
from astrosieve.exposures import Chip
from astrosieve.finders import detect
from astrosieve.preprocessing import get_preprocessing, spoilt_pixels
from astrosieve.psf import measure_background
from astrosieve.source_catalogs import chip_fwhm
from astrosieve.units import electron_scale
from astrosieve_training.config import (
    ExposurePlan,
    ExposureSet,
    FinderConfig,
    digest,
)

if TYPE_CHECKING:
    from astrosieve_training.simulate import Exposure

__all__ = [
    'DetectionSet',
    'balance',
    'detection_set',
    'join',
    'label_numbers',
    'simulated_set',
]

_CACHE_VERSION = 1

Measure = Callable[[np.ndarray, np.ndarray, float, Any], Table]


@dataclass(frozen=True)
class DetectionSet:
    """
    Labelled detections with the inputs of a network.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows, by the name of the network's input.
    rows : `~astropy.table.Table`
        N rows: ``x``, ``y``, ``finder``, ``exposure``, ``camera``, ``scene``,
        ``fwhm``, ``label``, ``share``, ``contested``, ``snr``, ``valid``,
        ``fill`` (value of a pixel filled with sky), and more for judgement.
    """

    inputs: dict[str, np.ndarray]
    rows: Table

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: np.ndarray) -> DetectionSet:
        inputs = {key: value[index] for key, value in self.inputs.items()}
        return DetectionSet(inputs, self.rows[index])

    @property
    def usable(self) -> np.ndarray:
        """Rows that can be scored and whose label is not contested."""
        return np.asarray(self.rows['valid'] & ~self.rows['contested'])


def join(sets: Iterable[DetectionSet]) -> DetectionSet:
    """Return several sets as one, with the columns that all of them have."""
    sets = [each for each in sets if len(each)]
    if not sets:
        msg = 'there are no detections; the exposures are empty or too shallow'
        raise ValueError(msg)
    inputs = {
        key: np.concatenate([each.inputs[key] for each in sets])
        for key in sets[0].inputs
    }
    rows = vstack([each.rows for each in sets], join_type='inner')
    return DetectionSet(inputs, rows)


def label_numbers(rows: Table, classes: Sequence[str]) -> np.ndarray:
    """
    Return labels as numbers of classes.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        With the column ``label``.
    classes : sequence of str
        Classes of the network.

    Returns
    -------
    numbers : (N,) int `~numpy.ndarray`
        -1 for labels that the network does not have.
    """
    labels = np.asarray(rows['label'], dtype=str)
    numbers = np.full(len(labels), -1)
    for number, name in enumerate(classes):
        numbers[labels == name] = number
    return numbers


def balance(
    labels: np.ndarray,
    rng: np.random.Generator,
    *,
    ratio: float = 1.5,
    largest: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Thin out classes that are too frequent.

    Parameters
    ----------
    labels : (N,) int `~numpy.ndarray`
        Class numbers.
    rng : `~numpy.random.Generator`
        Decides which rows stay.
    ratio : float, optional
        A class keeps at most this many times the rows of the smallest; 0 for all.
    largest : int, optional
        A class keeps at most so many.

    Returns
    -------
    kept, excess : `~numpy.ndarray`
        Row numbers, both in ascending order.
    """
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    limit = len(labels) if largest is None else largest
    if ratio and len(counts):
        limit = min(limit, int(ratio * counts.min()))
    kept = [
        rng.permutation(np.flatnonzero(labels == number))[:limit]
        for number in np.unique(labels)
    ]
    keep = np.sort(np.concatenate([*kept, np.empty(0, dtype=int)]).astype(int))
    return keep, np.setdiff1d(np.arange(len(labels)), keep)


def detection_set(
    chip: Chip,
    label: Callable[[np.ndarray], Table],
    *,
    finders: Sequence[FinderConfig],
    preprocessing: str,
    exposure: str,
    camera: str,
    scene: str,
    use_dq: bool = True,
    fwhm: float | None = None,
    measure: Measure | None = None,
) -> DetectionSet:
    """
    Run finders on a chip and label what they find.

    Parameters
    ----------
    chip : `~astrosieve.exposures.Chip`
        The image.
    label : callable
        Returns, for (N, 2) positions, a table with the columns ``label``,
        ``share``, ``contested``, ``snr``, ``distance_to_bright``, ``crowding``,
        ``saturated``.
    finders : sequence of `~astrosieve_training.config.FinderConfig`
        The finders; what two of them find is there twice.
    preprocessing : str
        Name of the preprocessing.
    exposure, camera, scene : str
        For the columns of that name.
    use_dq : bool, optional
        Whether pixels that DQ calls without signal are filled.
    fwhm : float, optional
        FWHM for the finders; estimated where it is not given.
    measure : callable, optional
        Called with the sky-subtracted image, the positions, the FWHM and the chip;
        returns further columns.

    Returns
    -------
    detections : `DetectionSet`
    """
    lost = None
    if use_dq and chip.dq is not None:
        lost = dq_to_mask(chip.dq, chip.dq_meaning.no_signal)
    spoilt = spoilt_pixels(chip.sci, mask=chip.mask, no_signal=lost)
    background = measure_background(chip.sci, spoilt=spoilt)
    width = chip_fwhm(chip, fwhm, spoilt=spoilt)
    scale, _ = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
    fitted = get_preprocessing(preprocessing).fit(chip.sci, spoilt=spoilt)
    found = {}
    for finder in finders:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyUserWarning)
            table = detect(
                chip.sci,
                finder.name,
                fwhm=width,
                nsigma=finder.nsigma,
                scale=scale,
                spoilt=spoilt,
                background=background,
            )
        if table is not None and len(table):
            found[finder.label] = positions(table)
    if not found:
        return DetectionSet({}, Table())
    xy = np.concatenate(list(found.values()))
    batch = fitted(xy)
    rows = label(xy)
    rows['x'], rows['y'] = xy.T
    rows['finder'] = np.repeat(list(found), [len(each) for each in found.values()])
    rows['exposure'] = exposure
    rows['camera'] = camera
    rows['scene'] = scene
    rows['fwhm'] = width
    rows['valid'] = batch.valid
    rows['edge'] = CLASS_FLAGS.any_set(batch.flags, 'edge')
    rows['fill'] = fitted.fill['cutouts']
    if measure is not None:
        data = chip.sci - np.float32(background.level)
        if spoilt is not None:
            data[spoilt != 0] = 0
        for name, column in measure(data, xy, width, chip).items():
            rows[name] = column
    return DetectionSet(batch.inputs, rows)


def _write(path: Path, detections: DetectionSet) -> None:
    arrays = {f'input_{key}': value for key, value in detections.inputs.items()}
    for name in detections.rows.colnames:
        arrays[f'row_{name}'] = np.asarray(detections.rows[name])
    with atomic_path(path, overwrite=True) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _read(path: Path) -> DetectionSet | None:
    """Return a cached set, None where there is none that is whole."""
    try:
        with path.open('rb') as file, np.load(file) as arrays:
            values = {key: arrays[key] for key in arrays.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, zipfile.BadZipFile):
        path.unlink()
        return None
    inputs = {k[6:]: v for k, v in values.items() if k.startswith('input_')}
    rows = {k[4:]: v for k, v in values.items() if k.startswith('row_')}
    return DetectionSet(inputs, Table(rows))


def chip_of(exposure: Exposure) -> Chip:
    """Return a simulated exposure as the chip that reading its file would give."""
    from astrosieve.units import parse_unit

    camera = exposure.camera
    return Chip(
        sci=np.asarray(exposure.sci, dtype=np.float32),
        path=Path(f'{camera.name}.fits'),
        err=exposure.err,
        dq=exposure.dq,
        unit=parse_unit(camera.unit),
        gain=camera.gain,
        exptime=float(exposure.exptime),
        instrument=camera.instrument,
        detector=camera.detector,
        filter_name=camera.filter,
        header=fits.Header({'RDNOISE': camera.read_noise}),
    )


def _one(
    plan: ExposurePlan,
    *,
    finders: Sequence[FinderConfig],
    preprocessing: str,
    use_dq: bool,
    measure: Measure | None,
) -> DetectionSet:
    """Simulate one exposure and return its labelled detections."""
    from astrosieve_training.simulate import load_camera, simulate_exposure
    from astrosieve_training.simulate.truth import label_positions

    exposure = simulate_exposure(
        load_camera(plan.camera),
        seed=plan.seed,
        shape=plan.shape if plan.shape != (0, 0) else None,
        scene=plan.scene,
        exptime=plan.exptime or None,
    )
    return detection_set(
        chip_of(exposure),
        lambda xy: label_positions(exposure.truth, xy),
        finders=finders,
        preprocessing=preprocessing,
        exposure=plan.label,
        camera=Path(plan.camera).stem,
        scene=plan.scene,
        use_dq=use_dq,
        measure=measure,
    )


def simulated_set(
    exposures: ExposureSet,
    *,
    finders: Sequence[FinderConfig],
    preprocessing: str,
    folder: Path,
    measure: Measure | None = None,
    progress: bool = True,
) -> DetectionSet:
    """
    Return the labelled detections of a set of simulated exposures.

    Parameters
    ----------
    exposures : `~astrosieve_training.config.ExposureSet`
        The set.
    finders : sequence of `~astrosieve_training.config.FinderConfig`
        The finders.
    preprocessing : str
        Name of the preprocessing.
    folder : `~pathlib.Path`
        Folder of the cache; what is there already is not made again.
    measure : callable, optional
        See `detection_set`.
    progress : bool, optional
        Whether to show a progress bar on a terminal.

    Returns
    -------
    detections : `DetectionSet`
    """
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    sets = []
    plans = exposures.plans()
    bar = tqdm(plans, desc=exposures.name, disable=None if progress else True)
    for i, plan in enumerate(bar):
        use_dq = exposures.use_dq[i % len(exposures.use_dq)]
        key = digest(
            plan,
            *finders,
            preprocessing,
            use_dq,
            None if measure is None else measure.__qualname__,
            _code_version(),
            _CACHE_VERSION,
        )
        path = folder / f'{plan.label}-{key}.npz'
        detections = _read(path)
        if detections is None:
            detections = _one(
                plan,
                finders=finders,
                preprocessing=preprocessing,
                use_dq=use_dq,
                measure=measure,
            )
            _write(path, detections)
        sets.append(detections)
    return join(sets)


@cache
def _code_version() -> str:
    """Return a hash of the code and the camera files that decide a set."""
    here, core = Path(__file__).parent, Path(psf.__file__).parent
    paths = [*here.glob('simulate/*.py'), *here.glob('cameras/*.toml')]
    paths += [
        core / f'{name}.py'
        for name in ('cutouts', 'finders', 'preprocessing', 'psf', 'source_catalogs')
    ]
    return digest(*[path.read_text(encoding='utf-8') for path in sorted(paths)])
