"""
The judge: a model beside its baselines, on the same detections.

Simulated exposures that served for nothing else, and real frames whose truth
comes from other exposures. Completeness is the share of true stars called
stars, leak the share of another class that is; both with counts and 95 %
Wilson intervals. Contested detections are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from astrosieve.models.calibration import softmax
from astrosieve.models.registry import Model, load_model
from astrosieve.source.widths import averaged
from astrosieve_training.data_folder import data_folder
from astrosieve_training.judge.report import Report
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.config import FinderConfig, JudgeConfig, SourceConfig
from astrosieve_training.source.datasets.chips import Measure
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    detection_set,
    join,
    simulated_set,
)
from astrosieve_training.source.datasets.real.frames import (
    RealFrame,
    hrc_47tuc,
    ngc1261,
    pluto,
)
from astrosieve_training.source.evaluate.baselines import (
    FOREST,
    Forest,
    measure_all,
    measure_columns,
)
from astrosieve_training.source.evaluate.checks import (
    check_domain,
    check_phases,
    check_scan,
)
from astrosieve_training.source.evaluate.conditions import (
    check_hits,
    check_measured,
    check_saturated,
    check_widths,
)
from astrosieve_training.source.evaluate.figures import draw_judgement
from astrosieve_training.source.evaluate.judged import Rival
from astrosieve_training.source.evaluate.limits import FOREST_FACTOR, RIVAL_FACTOR
from astrosieve_training.source.evaluate.observer import check_faint
from astrosieve_training.source.evaluate.report import (
    FAINT,
    HITS,
    MEASURED,
    SATURATED,
    WIDTHS,
    Judgement,
)

__all__ = ['evaluate']

_LEARNT = 80  # exposures of the training from which baselines learn


def _real_set(
    frame: RealFrame,
    finders: Sequence[FinderConfig],
    model: Model | None,
    preprocessing: str,
    measure: Measure | None,
) -> DetectionSet:
    detections = detection_set(
        frame.chip,
        frame.label,
        finders=finders,
        preprocessing=preprocessing,
        exposure=frame.name,
        camera=frame.name,
        scene='real',
        fwhm=frame.fwhm,
        measure=measure,
        model=model,
    )
    x, y = np.asarray(detections.rows['x']), np.asarray(detections.rows['y'])
    return detections[frame.within(x, y)]


def train_forest(
    config: SourceConfig, preprocessing: str, cache: Path, *, progress: bool = True
) -> Forest:
    """
    Train the random forest on what the configuration's network was trained on.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.SourceConfig`
        The configuration.
    preprocessing : str
        Name of the preprocessing.
    cache : `~pathlib.Path`
        Folder of the cache.
    progress : bool, optional
        Whether to show progress.

    Returns
    -------
    forest : `~astrosieve_training.source.evaluate.baselines.Forest`
    """
    parts = [
        simulated_set(
            config.training,
            finders=config.finders,
            preprocessing=preprocessing,
            folder=cache,
            measure=measure_columns,
            progress=progress,
        )
    ]
    folder = data_folder()
    if config.real.ngc1261 and folder is not None:
        frame = ngc1261(folder, 'left')
        learnt = _real_set(frame, config.finders, None, preprocessing, measure_columns)
        parts.append(learnt)
    rng = np.random.default_rng([config.seed, 4])
    forest = Forest(config.network.classes, seed=config.seed)
    return forest.fit(join(parts), rng=rng, ratio=config.train.balance or 1e9)


def evaluate(
    model: str,
    config: SourceConfig,
    folder: Path,
    *,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """
    Judge a model.

    Parameters
    ----------
    model : str
        Name, or path of an ONNX file.
    config : `~astrosieve_training.source.config.SourceConfig`
        Its section ``judge`` says on what.
    folder : `~pathlib.Path`
        Gets the cache and figures.
    progress : bool, optional
        Whether to show progress.
    say : callable, optional
        Told what is left out, and why.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`
    """
    loaded = load_model(model, threads=2)
    cache = folder / 'cache'
    learnt = replace(config.training, n=min(config.training.n, _LEARNT))
    config = replace(config, training=learnt)
    forest = train_forest(config, loaded.card.preprocessing, cache, progress=progress)
    other = config.rival()
    rivals = [] if other is None else [_train_rival(other, folder)]
    judgement = Judgement(
        loaded,
        held_back=config.judge.held_back,
        factors={FOREST: FOREST_FACTOR} | {each.name: RIVAL_FACTOR for each in rivals},
    )
    beside = [load_model(name, threads=2) for name in config.judge.beside]
    rivals = [*map(_as_rival, beside), *rivals]
    _judge_simulated(judgement, config.judge, forest, rivals, cache, progress)
    real = data_folder()
    if config.judge.real and real is None:
        say('the real frames were not found and are left out; set ASTROSIEVE_DATA')
    elif config.judge.real and real is not None:
        frames = ngc1261(real, 'right'), hrc_47tuc(real), pluto(real)
        _judge_real(judgement, frames, config.judge, forest, rivals)
    _check(judgement, config.judge, beside, cache, folder)
    return judgement.report(draw_judgement(judgement, folder))


def _judge_simulated(
    judgement: Judgement,
    judging: JudgeConfig,
    forest: Forest,
    rivals: Sequence[Rival],
    cache: Path,
    progress: bool,
) -> None:
    for exposures in judging.sets:
        make = partial(
            simulated_set,
            exposures,
            finders=judging.finders,
            folder=cache,
            model=judgement.model,
            progress=progress,
        )
        preprocessing = judgement.model.card.preprocessing
        judgement.add_set(
            exposures.name,
            _note(exposures),
            make(preprocessing=preprocessing, measure=measure_all),
            forest,
            [(rival, make(preprocessing=rival.preprocessing)) for rival in rivals],
        )


def _judge_real(
    judgement: Judgement,
    frames: Sequence[RealFrame],
    judging: JudgeConfig,
    forest: Forest,
    rivals: Sequence[Rival],
) -> None:
    for frame in frames:
        make = partial(_real_set, frame, judging.finders, judgement.model)
        judgement.real.append(frame.name)
        judgement.add_set(
            frame.name,
            f'Truth: {frame.note}',
            make(judgement.model.card.preprocessing, measure_all),
            forest,
            [(each, make(each.preprocessing, None)) for each in rivals],
        )


def _check(
    judgement: Judgement,
    judging: JudgeConfig,
    beside: Sequence[Model],
    cache: Path,
    folder: Path,
) -> None:
    model = judgement.model
    if judging.faint:
        said = check_faint(judgement.first_judged, judging.sets, cache)
        judgement.add_check(FAINT, said, ())
    if judging.phases is not None:
        found = check_phases(model, judging.phases, cache, folder)
        judgement.add_check('Positions', *found)
    if judging.scan is not None:
        found = check_scan(model, judging.scan, cache, folder)
        judgement.add_check('Every pixel', *found)
    if judging.unusual is not None:
        found = check_domain(model, judging.unusual, cache)
        judgement.add_check('Images unlike those of the training', *found)
    if judging.hits is not None:
        found = check_hits([model, *beside], judging.hits, cache)
        judgement.add_check(HITS, *found)
    if judging.widths is not None:
        said = check_measured(model, judging.sets, cache)
        judgement.add_check(MEASURED, said, ())
        found = check_widths(model, judging.widths, cache)
        judgement.add_check(WIDTHS, *found)
    if judging.saturated is not None:
        found = check_saturated(model, judging.saturated, cache)
        judgement.add_check(SATURATED, *found)


def _note(exposures: ExposureSet) -> str:
    times = ', '.join(f'{t:g} s' for t in exposures.exptimes) or "the camera's"
    if exposures.vary:
        times += ', varied, as are the densities of the scenes'
    return (
        f'{exposures.n} simulated exposures, seeds {exposures.seeds.start} to '
        f'{exposures.seeds.stop - 1}; cameras '
        f'{", ".join(dict.fromkeys(exposures.cameras))}; '
        f'scenes {", ".join(dict.fromkeys(exposures.scenes))}; exposure time {times}'
    )


def _as_rival(model: Model) -> Rival:
    """Return another model as one that is asked about the same detections."""
    card = model.card
    predict = partial(averaged, model.predict)
    label = f'{card.name} {card.version}'
    return Rival(label, card.preprocessing, card.classes, predict)


def _train_rival(config: SourceConfig, folder: Path) -> Rival:
    """Train another network, on exposures from the same cache."""
    from astrosieve_training.source.train.predict import averaged_logits
    from astrosieve_training.source.train.runs import train

    run = train(config, folder / 'rival', cache=folder / 'cache', progress=False)

    def predict(inputs: dict[str, np.ndarray]) -> np.ndarray:
        logits = averaged_logits(run.network, inputs) + run.calibration.offsets
        return softmax(logits.astype(np.float32), run.calibration.temperature)

    network = config.network
    return Rival(config.name, network.preprocessing, network.classes, predict)
