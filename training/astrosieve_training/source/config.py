"""
Configurations of networks: one TOML file per network, read into frozen dataclasses.

A key that is not known is named with the nearest one that is; a value that
cannot be is refused with the rule that it breaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from astrosieve.source.classes import CLASSES, REPORT_CLASSES
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.settings import (
    ConfigError,
    Count,
    NotNegative,
    Positive,
    Rule,
    Settings,
    between,
    build_dataclass,
    load_dataclass,
    not_known,
    one_of,
    require,
)
from astrosieve_training.simulate.plans import ExposureSet

__all__ = [
    'CalibrationConfig',
    'FinderConfig',
    'JudgeConfig',
    'NetworkConfig',
    'RealConfig',
    'RivalConfig',
    'SourceConfig',
    'TrainConfig',
    'TuneConfig',
    'config_from_dict',
    'list_configs',
    'load_config',
]

_CHECKS = ('phases', 'scan', 'unusual', 'widths', 'hits', 'saturated')
_IMAGES = ('noise', 'peak', 'residual')
_CONTEXT = ('wide', 'far', 'fwhm')
_FOLDER = Path(__file__).parents[1] / 'configs' / 'source'
_NAME = Rule(
    'of letters, digits, dots, dashes and underscores',
    lambda name: re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9._-]*', name) is not None,
)
_PAIR = Rule('two numbers', lambda values: len(values) == 2)
_OFF_OR_MORE = Rule('0, or 1 or more', lambda value: value == 0 or value >= 1)
_LEFT = Rule('a share, 0 or more', lambda value: 0 <= value < 1)


def _of(known: Iterable[str], least: int = 0) -> Rule:
    """Return the rule of a list of some of the names that are known."""
    return Rule(
        f'of {", ".join(known)}',
        lambda names: len(names) >= least and set(names) <= set(known),
    )


_SOME_CLASSES = _of(CLASSES, least=2)
_SOME_IMAGES = _of(_IMAGES, least=1)


@dataclass(frozen=True)
class FinderConfig(Settings):
    """
    A finder of the registry ``astrosieve.finders`` and its threshold.

    Parameters
    ----------
    name : str
        Name of the finder.
    nsigma : float
        Threshold in units of the sky's noise.
    """

    name: str
    nsigma: Positive = 5.0

    @property
    def label(self) -> str:
        """Name and threshold, for tables."""
        return f'{self.name}-{self.nsigma:g}'


@dataclass(frozen=True)
class NetworkConfig(Settings):
    """
    Form of the network.

    Parameters
    ----------
    kind : str
        Name of the architecture, see `astrosieve_training.source.networks`.
    preprocessing : str
        Name of the preprocessing, see `astrosieve.source.preprocessing`.
    classes : tuple of str
        Classes in the order of the outputs.
    filters : tuple of int
        Filters of the two convolutions ('isr2024'), or of the two stages of the
        innermost cutout ('multiscale').
    dense : tuple of int
        Sizes of the dense layers before the last.
    pooling : bool
        Whether each convolution is followed by 2x2 max pooling ('isr2024').
    images : tuple of str
        What 'multiscale' makes of the innermost cutout: of 'noise', 'peak',
        'residual'.
    context : tuple of str
        What else 'multiscale' looks at: of 'wide', 'far', 'fwhm'.
    """

    kind: str = 'isr2024'
    preprocessing: str = 'zscale-log-1'
    classes: Annotated[tuple[str, ...], _SOME_CLASSES] = REPORT_CLASSES
    filters: Annotated[tuple[Count, ...], _PAIR] = (32, 32)
    dense: tuple[Count, ...] = (16, 16)
    pooling: bool = False
    images: Annotated[tuple[str, ...], _SOME_IMAGES] = _IMAGES
    context: Annotated[tuple[str, ...], _of(_CONTEXT)] = _CONTEXT


@dataclass(frozen=True)
class TrainConfig(LoopSettings):
    """
    The training: the loop, and what is particular to detections.

    Parameters
    ----------
    epochs, batch_size, learning_rate, weight_decay, schedule, runs, threads, device
        See `~astrosieve_training.learn.settings.LoopSettings`.
    class_weight : float
        A class counts in the loss as the most frequent over it, to this power.
    focal : float
        Power of one minus the probability of the truth, by which each cutout counts in
        the loss (Lin et al. 2017, ICCV, 2980); 0 for cross-entropy.
    fwhm_jitter : float
        Half of the cutouts are told, in place of the measured width of the PSF, the
        true one times a log-normal factor of this width. For networks that are told.
    fwhm_unknown : float
        Share of the cutouts that are told a width as where none is known, see
        `~astrosieve.source.widths.width_hypotheses`.
    balance : float
        Classes are cut to this many times the smallest; 0 leaves them.
    max_per_class : int
        Largest number of cutouts of a class.
    augment : bool
        Whether each cutout is turned or mirrored at random in each epoch.
    spoil : float
        Share of the cutouts in which pixels are filled with sky, as the
        preprocessing fills those that are not usable.
    min_share : float
        Detections whose largest component holds less are left out, besides the
        contested ones.
    split : {'exposure', 'cutout'}
        Whether whole exposures are kept for validation, or each cutout is dealt
        to either side, as published (80/20).
    validation_share : float
        Share of the cutouts for validation where the split is by cutout.
    """

    class_weight: NotNegative = 0.0
    focal: Annotated[float, _OFF_OR_MORE] = 0.0
    fwhm_jitter: NotNegative = 0.08
    fwhm_unknown: Annotated[float, _LEFT] = 0.0
    balance: Annotated[float, _OFF_OR_MORE] = 1.5
    max_per_class: Count = 40_000
    augment: bool = True
    spoil: Annotated[float, _LEFT] = 0.05
    min_share: Annotated[float, _LEFT] = 0.6
    split: Annotated[str, one_of('exposure', 'cutout')] = 'exposure'
    validation_share: Annotated[float, _LEFT] = 0.2


@dataclass(frozen=True)
class RealConfig(Settings):
    """
    Real frames in training.

    Parameters
    ----------
    ngc1261 : bool
        Whether the left half of NGC 1261 F336W is in the training set.
    repeat : int
        How often each of its cutouts is counted.
    """

    ngc1261: bool = True
    repeat: Count = 1


@dataclass(frozen=True)
class CalibrationConfig(Settings):
    """
    What turns logits into probabilities, and where the operating points lie.

    Parameters
    ----------
    shares : tuple of float
        Mix of classes for which the probabilities hold, in the network's order, up
        to a factor; empty for equal shares. Fewer stars make the class of highest
        probability more careful with that name.
    pure : float
        Purity that the operating point 'pure' aims at.
    complete : float
        Completeness that the operating point 'complete' aims at.
    """

    shares: tuple[Positive, ...] = ()
    pure: Annotated[float, between(0, 1)] = 0.99
    complete: Annotated[float, between(0, 1)] = 0.99


def _no_exposures() -> ExposureSet:
    return ExposureSet(n=0, seed=0, cameras=('random',), name='none')


@dataclass(frozen=True)
class TuneConfig(Settings):
    """
    Training on from the weights of a model, by labels of other exposures.

    Parameters
    ----------
    rehearsal : `ExposureSet`
        Simulated exposures. Their detections of classes that have no labels are seen
        again, so that these are not forgotten (Robins 1995, Connection Science 7,
        123): the network is to say of them what it said before (Li & Hoiem 2016,
        ECCV, 614).
    rehearsal_batch : int
        So many of them in each step.
    rehearsal_weight : float
        Weight of the cross-entropy between the old and the new probabilities, that
        of the labels being 1.
    stay : float
        Weight of the squared distance from the old parameters (Li et al. 2018, ICML,
        2825).
    """

    rehearsal: ExposureSet = field(default_factory=_no_exposures)
    rehearsal_batch: Count = 32
    rehearsal_weight: NotNegative = 0.5
    stay: NotNegative = 0.0


@dataclass(frozen=True)
class RivalConfig:
    """
    Another network that learns from the same exposures.

    Parameters
    ----------
    name : str
        What tables call it.
    network, train
        As for the network itself.
    """

    name: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class JudgeConfig(Settings):
    """
    What the network is judged on.

    Parameters
    ----------
    sets : tuple of `ExposureSet`
        Simulated exposures, none of them used before.
    finders : tuple of `FinderConfig`
        Finders whose detections are judged.
    real : bool
        Whether the real frames are judged as well, where they are found.
    faint : bool
        Whether the leak of faint galaxies of ``sets`` is set beside what an observer
        could tell who knows everything, see
        `astrosieve_training.source.evaluate.observer`.
    held_back : tuple of str
        Sets of cameras that were kept from the training: they may leak twice as
        much, and their calibration may be off three times as far.
    beside : tuple of str
        Other models, which are judged beside this one.
    rival : `RivalConfig` or None
        Another network, which is trained on the same exposures and judged beside
        this one.
    phases : `ExposureSet` or None
        Exposures on which the sub-pixel phases of kept stars are compared with the
        true ones.
    scan : `ExposureSet` or None
        Exposures of which each pixel is asked for its class.
    unusual : `ExposureSet` or None
        Exposures that are smoothed, resampled, cut and so on, to see which of them
        are recognised as unlike the training's.
    widths : `ExposureSet` or None
        Exposures on which the network is told other widths of the PSF than the true.
    hits : `ExposureSet` or None
        Exposures whose cosmic rays are those of one real detector each.
    saturated : `ExposureSet` or None
        Exposures with saturated stars, of which each should have a row.
    """

    sets: tuple[ExposureSet, ...] = ()
    finders: tuple[FinderConfig, ...] = (FinderConfig('dao'), FinderConfig('peaks'))
    real: bool = True
    faint: bool = False
    held_back: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    rival: RivalConfig | None = None
    phases: ExposureSet | None = None
    scan: ExposureSet | None = None
    unusual: ExposureSet | None = None
    widths: ExposureSet | None = None
    hits: ExposureSet | None = None
    saturated: ExposureSet | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        names = {each.name for each in self.sets}
        good = set(self.held_back) <= names
        require(good, 'held_back', self.held_back, f'of {sorted(names)}')


@dataclass(frozen=True)
class SourceConfig(Settings):
    """
    One network for the task 'source', from simulation to judgement.

    Parameters
    ----------
    name, version : str
        Of the model.
    description : str
        One paragraph, for the card.
    licence : str
        For the card.
    default : bool
        Whether the name 'source' means this network once it is exported.
    seed : int
        Seed of the training.
    limits, references : tuple of str
        For the card.
    network, train, tune, real, calibration, judge
        Sections, see their classes.
    training, validation, calibrating : `ExposureSet`
        Exposures to train on, to choose the best parameters by, and to calibrate
        on; none for a network that is trained on datasets of labels.
    finders : tuple of `FinderConfig`
        Finders whose detections are learnt.
    """

    name: Annotated[str, _NAME]
    training: ExposureSet = field(default_factory=_no_exposures)
    validation: ExposureSet = field(default_factory=_no_exposures)
    calibrating: ExposureSet = field(default_factory=_no_exposures)
    version: str = '1.0'
    description: str = ''
    licence: str = 'BSD-3-Clause'
    default: bool = False
    seed: int = 0
    limits: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    tune: TuneConfig = field(default_factory=TuneConfig)
    real: RealConfig = field(default_factory=RealConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    finders: tuple[FinderConfig, ...] = (FinderConfig('dao'), FinderConfig('peaks'))

    def __post_init__(self) -> None:
        super().__post_init__()
        shares, classes = self.calibration.shares, self.network.classes
        good = len(shares) in (0, len(classes))
        require(good, 'calibration.shares', shares, f'one for each of {classes}')
        judge = self.judge
        sets = [self.training, self.validation, self.calibrating, *judge.sets]
        sets += filter(None, (getattr(judge, name) for name in _CHECKS))
        sets.append(self.tune.rehearsal)
        for i, one in enumerate(sets):
            for other in sets[i + 1 :]:
                if set(one.seeds) & set(other.seeds):
                    msg = (
                        f'the sets {one.name!r} and {other.name!r} share seeds; an '
                        'exposure must not serve twice. Move the seed of one'
                    )
                    raise ConfigError(msg)

    def rival(self) -> SourceConfig | None:
        """Return the configuration of the rival, trained on the same exposures."""
        rival = self.judge.rival
        if rival is None:
            return None
        return replace(
            self,
            name=rival.name,
            network=rival.network,
            train=rival.train,
            calibration=CalibrationConfig(),
        )

    def judged_from(self, seed: int) -> SourceConfig:
        """Return the configuration with other exposures to judge on."""
        judge = self.judge

        def moved(exposures: ExposureSet | None) -> ExposureSet | None:
            nonlocal seed
            if exposures is None:
                return None
            first, seed = seed, seed + exposures.n
            return replace(exposures, seed=first)

        sets = tuple(filter(None, map(moved, judge.sets)))
        others: dict[str, Any] = {n: moved(getattr(judge, n)) for n in _CHECKS}
        return replace(self, judge=replace(judge, sets=sets, **others))


def config_from_dict(values: dict[str, Any]) -> SourceConfig:
    """
    Build a configuration from plain values, as TOML and JSON give them.

    Raises
    ------
    ConfigError
        If a key is not known or a value cannot be.
    """
    return build_dataclass(SourceConfig, values, '')


def list_configs() -> list[str]:
    """Return the names of the configurations that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob('*.toml'))


def load_config(name: str | Path) -> SourceConfig:
    """
    Read a configuration.

    Parameters
    ----------
    name : str or path-like
        One of `list_configs`, or the path of a TOML file.

    Returns
    -------
    config : `SourceConfig`

    Raises
    ------
    ConfigError
        If there is no such file, it is not TOML, a key is not known or a value
        cannot be.
    """
    path = Path(name)
    if path.suffix != '.toml':
        path = _FOLDER / f'{name}.toml'
        if not path.is_file():
            msg = not_known('no configuration', str(name), list_configs())
            raise ConfigError(f'{msg}; or give a file')
    return load_dataclass(SourceConfig, path)
