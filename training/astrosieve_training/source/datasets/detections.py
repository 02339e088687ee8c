"""
Sets of labelled detections, for training, calibration and judgement.

A set holds what the networks see (the inputs that the core's preprocessing
makes) and, row by row, the truth and what baselines need. The files of simulated
exposures, their labelled detections, the inputs of each preprocessing and the
columns of the baselines are cached apart, so that several networks learn from the
same exposures, and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from astrosieve.images.exposures import Chip
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model
from astrosieve.source.finders import get_finder
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve.source.widths import star_chooser
from astrosieve_training.simulate import Truth, label_positions, plans
from astrosieve_training.simulate.files import load_exposure
from astrosieve_training.simulate.plans import (
    ExposurePlan,
    ExposureSet,
    exposure_key,
    plan_camera,
)
from astrosieve_training.source.config import FinderConfig
from astrosieve_training.source.datasets.chips import (
    Measure,
    baseline_columns,
    find_sources,
    network_inputs,
)
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest, module_of

__all__ = [
    'DetectionSet',
    'detection_set',
    'join',
    'set_from_arrays',
    'simulated_exposures',
    'simulated_set',
]

_THINNING, _PLACES = 79, 80  # streams of chance


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
        ``fwhm`` (as measured, else NaN), ``psf_fwhm`` (true, NaN for real frames),
        ``noise_ratio`` (see `~astrosieve.images.traits.ImageTraits`), ``label``,
        ``share``,
        ``contested``, ``snr``, ``valid``, ``fill`` (value of a pixel filled with
        sky), and more for judgement.
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


def _labelled(
    image: MeasuredImage,
    label: Callable[[np.ndarray], Table],
    *,
    finders: Sequence[FinderConfig],
    exposure: str,
    camera: str,
    scene: str,
    psf_fwhm: float = float('nan'),
    places: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return the columns that do not depend on the network."""
    rows = find_sources(image, finders)
    if places is not None:
        drawn = Table({'x': places[:, 0], 'y': places[:, 1]})
        drawn['finder'] = 'place'
        rows = vstack([rows, drawn])
    if len(rows):
        labels = label(np.column_stack([rows['x'], rows['y']]))
        for name in labels.colnames:
            rows[name] = labels[name]
    ratio = image.traits.noise_ratio
    rows['exposure'], rows['camera'], rows['scene'] = exposure, camera, scene
    rows['fwhm'] = float('nan') if image.fwhm is None else image.fwhm
    rows['psf_fwhm'] = psf_fwhm
    rows['noise_ratio'] = float('nan') if ratio is None else ratio
    return {f'row_{name}': np.asarray(rows[name]) for name in rows.colnames}


def set_from_arrays(arrays: dict[str, np.ndarray]) -> DetectionSet:
    """
    Return the set that is kept as arrays in an NPZ file.

    Parameters
    ----------
    arrays : dict of str to `~numpy.ndarray`
        Inputs under 'input_' and their name, columns under 'row_' and theirs.

    Returns
    -------
    detections : `DetectionSet`
    """
    return DetectionSet(
        {k[6:]: v for k, v in arrays.items() if k.startswith('input_')},
        Table({k[4:]: v for k, v in arrays.items() if k.startswith('row_')}),
    )


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
    model: Model | None = None,
) -> DetectionSet:
    """
    Run finders on a chip and label what they find.

    Parameters
    ----------
    chip : `~astrosieve.images.exposures.Chip`
        The image.
    label : callable
        Returns, for (N, 2) positions, a table with the columns ``label``,
        ``share``, ``contested``, ``snr``, ``distance_to_bright``, ``crowding``,
        ``saturated``.
    finders : sequence of `~astrosieve_training.source.config.FinderConfig`
        The finders; what two of them find is there twice.
    preprocessing : str
        Name of the preprocessing.
    exposure, camera, scene : str
        For the columns of that name.
    use_dq : bool, optional
        Whether pixels that DQ calls without signal are filled.
    fwhm : float, optional
        FWHM of the PSF; estimated where it is not given.
    measure : callable, optional
        Called with the sky-subtracted image, the positions, the FWHM and the chip;
        returns further columns.
    model : `~astrosieve.models.registry.Model`, optional
        What finds the stars by which the width of the PSF is measured; by default
        rules do.

    Returns
    -------
    detections : `DetectionSet`
    """
    image = _measured(chip, use_dq=use_dq, fwhm=fwhm, model=model)
    arrays = _labelled(
        image, label, finders=finders, exposure=exposure, camera=camera, scene=scene
    )
    xy = np.column_stack([arrays['row_x'], arrays['row_y']])
    if not len(xy):
        return DetectionSet({}, Table())
    seen = image
    if not _asks(model, preprocessing):
        seen = _measured(chip, use_dq=use_dq, fwhm=fwhm)
    arrays.update(network_inputs(seen, xy, preprocessing))
    if measure is not None:
        arrays.update(baseline_columns(image, chip, xy, measure))
    return set_from_arrays(arrays)


def _measured(
    chip: Chip,
    *,
    use_dq: bool,
    fwhm: float | None = None,
    model: Model | None = None,
) -> MeasuredImage:
    """Return a chip as an image, as though it had no DQ if that is not to be used."""
    return MeasuredImage.of_chip(
        chip if use_dq else replace(chip, dq=None),
        fwhm=fwhm,
        likely_stars=None if model is None else star_chooser(model),
    )


def _asks(model: Model | None, preprocessing: str) -> bool:
    """Return whether inputs are a model's: others are told what rules say."""
    return model is not None and model.card.preprocessing == preprocessing


def _thinned(arrays: dict[str, np.ndarray], most: int, seed: int) -> np.ndarray:
    """Return rows: one per pixel, and at most so many of a class."""
    pixels = np.floor(np.column_stack([arrays['row_x'], arrays['row_y']]) + 0.5)
    rng = np.random.default_rng([seed, _THINNING])
    order = rng.permutation(len(pixels))
    _, first = np.unique(pixels[order], axis=0, return_index=True)
    left = order[np.sort(first)]
    labels = arrays['row_label'][left]
    kept = [left[labels == name][:most] for name in np.unique(labels)]
    return np.sort(np.concatenate([*kept, np.empty(0, dtype=int)]).astype(int))


def _one(
    plan: ExposurePlan,
    *,
    finders: Sequence[FinderConfig],
    preprocessing: str,
    use_dq: bool,
    thin: int,
    places: int,
    measure: Measure | None,
    model: Model | None,
    stages: Stages,
) -> DetectionSet:
    """Return the labelled detections of one simulated exposure."""

    @cache
    def opened() -> tuple[Chip, Truth]:
        return load_exposure(plan, _exposure_folder(plan, stages.folder))

    @cache
    def measured(chosen: bool) -> MeasuredImage:
        by = model if chosen else None
        return _measured(opened()[0], use_dq=use_dq, model=by)

    def labelled() -> dict[str, np.ndarray]:
        image, truth = measured(True), opened()[1]
        rng = np.random.default_rng([plan.seed, _PLACES])
        drawn = rng.uniform(-0.5, np.array(truth.shape[::-1]) - 0.5, (places, 2))
        arrays = _labelled(
            image,
            lambda xy: label_positions(truth, xy),
            finders=finders,
            exposure=plan.label,
            camera=Path(plan.camera).stem,
            scene=plan.scene,
            psf_fwhm=truth.fwhm,
            places=drawn,
        )
        if thin and len(arrays['row_x']):
            rows = _thinned(arrays, thin, plan.seed)
            arrays = {key: value[rows] for key, value in arrays.items()}
        return arrays

    here = sys.modules[__name__]
    factories = [module_of(get_finder(finder.name)) for finder in finders]
    chooser = () if model is None else (model.card.sha256,)
    key = digest(
        exposure_key(plan), finders, use_dq, thin, places, *chooser,
        code_version(here, *factories),
    )  # fmt: skip
    arrays = stages.arrays(f'{plan.label}-labels', key, labelled)
    xy = np.column_stack([arrays['row_x'], arrays['row_y']])
    if not len(xy):
        return DetectionSet({}, Table())
    version = code_version(here, module_of(get_preprocessing(preprocessing)))
    arrays |= stages.arrays(
        f'{plan.label}-inputs',
        digest(key, preprocessing, version),
        lambda: network_inputs(
            measured(_asks(model, preprocessing)), xy, preprocessing
        ),
    )
    if measure is not None:

        def columns() -> dict[str, np.ndarray]:
            return baseline_columns(measured(True), opened()[0], xy, measure)

        arrays |= stages.arrays(
            f'{plan.label}-columns',
            digest(key, measure.__qualname__, code_version(here, module_of(measure))),
            columns,
        )
    return set_from_arrays(arrays)


def simulated_exposures(
    exposures: ExposureSet, folder: Path
) -> Iterator[tuple[ExposurePlan, Chip, Truth]]:
    """
    Yield the exposures of a set, from the cache where they are there.

    Parameters
    ----------
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        The set.
    folder : `~pathlib.Path`
        Folder of the cache.

    Yields
    ------
    plan : `~astrosieve_training.simulate.plans.ExposurePlan`
    chip : `~astrosieve.images.exposures.Chip`
    truth : `~astrosieve_training.simulate.Truth`
    """
    for plan in exposures.plans():
        yield plan, *load_exposure(plan, _exposure_folder(plan, folder))


def _exposure_folder(plan: ExposurePlan, folder: Path) -> Path:
    """Return the folder of the exposures of one camera, and of one simulator."""
    camera = plan.camera if plan.camera == 'random' else plan_camera(plan)
    return folder / f'exposures-{digest(camera, code_version(plans))}'


def simulated_set(
    exposures: ExposureSet,
    *,
    finders: Sequence[FinderConfig],
    preprocessing: str,
    folder: Path,
    measure: Measure | None = None,
    model: Model | None = None,
    progress: bool = True,
) -> DetectionSet:
    """
    Return the labelled detections of a set of simulated exposures.

    Parameters
    ----------
    exposures : `~astrosieve_training.simulate.plans.ExposureSet`
        The set.
    finders : sequence of `~astrosieve_training.source.config.FinderConfig`
        The finders.
    preprocessing : str
        Name of the preprocessing.
    folder : `~pathlib.Path`
        Folder of the cache; what is there already is not made again.
    measure, model : optional
        See `detection_set`.
    progress : bool, optional
        Whether to show a progress bar on a terminal.

    Returns
    -------
    detections : `DetectionSet`
    """
    from tqdm import tqdm

    stages = Stages(folder, tidy=False)
    bar = tqdm(
        exposures.plans(), desc=exposures.name, disable=None if progress else True
    )
    return join(
        [
            _one(
                plan,
                finders=finders,
                preprocessing=preprocessing,
                use_dq=exposures.use_dq[i % len(exposures.use_dq)],
                thin=exposures.thin,
                places=exposures.places,
                measure=measure,
                model=model,
                stages=stages,
            )
            for i, plan in enumerate(bar)
        ]
    )
