"""Candidates to learn from: simulated by seed, labelled ones of files, real alerts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from joblib import Parallel, delayed

from astrosieve.transient import preprocessing as preprocessings
from astrosieve.transient.classes import REAL, REAL_KINDS, is_real
from astrosieve.transient.preprocessing import Stamps, get_preprocessing
from astrosieve_training.data_folder import data_folder
from astrosieve_training.learn.augment import turned
from astrosieve_training.learn.examples import arrays_key
from astrosieve_training.stages import Stages
from astrosieve_training.transient import simulate
from astrosieve_training.transient.config import FieldSet, TransientConfig
from astrosieve_training.transient.simulate.rows import Rows, joined
from astrosieve_training.versions import code_version, digest

__all__ = [
    'Alerts',
    'Examples',
    'Facts',
    'alert_folder',
    'class_numbers',
    'joined_examples',
    'p_real',
    'prepared',
    'read_alerts',
    'simulated_sets',
    'truly_real',
]

_SIDES = (21, 25, 31, 41, 51, 63)  # pixels, of stamps as surveys cut them
_TOLD = 0.4  # share of the fields whose seeing is told
_CONTESTED = 0.6  # of a candidate's light, below which nothing is learnt from it
_MISSING = (0.2, 0.5, 0.3)  # of incomplete triplets: without science, template ...


@dataclass(frozen=True)
class Facts(Rows):
    """
    What is known of examples, beside their ``label``.

    Parameters
    ----------
    by_eye : (N,) str `~numpy.ndarray`
        Class of the SDSS-II survey; empty of triplets.
    snr, share, fwhm : (N,) float `~numpy.ndarray`
        See `~astrosieve_training.transient.simulate.Candidates`, of three bands those
        in r; 1 for the share, and NaN, of real stamps.
    survey : (N,) str `~numpy.ndarray`
        Which; 'bands' of three-band stamps.
    field : (N,) int `~numpy.ndarray`
        Seed of the field.
    """

    by_eye: np.ndarray
    snr: np.ndarray
    share: np.ndarray
    fwhm: np.ndarray
    survey: np.ndarray
    field: np.ndarray


@dataclass(frozen=True)
class Examples:
    """
    Candidates as the loop asks for them.

    Parameters
    ----------
    inputs : dict of str to float16 `~numpy.ndarray`
        As the preprocessing makes them, a row for each candidate.
    target : (N,) int64 `~numpy.ndarray`
        Class numbers.
    facts : `Facts`
        The rest.
    """

    inputs: dict[str, np.ndarray]
    target: np.ndarray
    facts: Facts

    @cached_property
    def key(self) -> str:
        """Hash of what is handed out."""
        return arrays_key({**self.inputs, 'target': self.target})

    @property
    def contested(self) -> np.ndarray:
        """Where the label is that of less than 60 % of the light."""
        contested: np.ndarray = self.facts.share < _CONTESTED
        return contested

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Examples:
        """Return some examples, by number or mask."""
        inputs = {name: each[rows] for name, each in self.inputs.items()}
        return Examples(inputs, self.target[rows], self.facts.take(rows))

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
        """Return some examples; with a generator each is turned at random."""
        part = {n: each[rows].astype(np.float32) for n, each in self.inputs.items()}
        return (part if rng is None else turned(part, rng)), self.target[rows], None


def joined_examples(parts: list[Examples]) -> Examples:
    """Return several sets of examples as one."""
    names = parts[0].inputs
    return Examples(
        {name: np.concatenate([each.inputs[name] for each in parts]) for name in names},
        np.concatenate([each.target for each in parts]),
        joined([each.facts for each in parts]),
    )


def class_numbers(labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """
    Return labels as numbers of a network's classes.

    Kinds of real candidates are 'real', and artefacts 'bogus', where the network tells
    no more; -1 for what it has no name for.
    """
    names = list(classes)
    real = names.index(REAL) if REAL in names else -1
    bogus = names.index('bogus') if 'bogus' in names else -1

    def number(label: str) -> int:
        if label in names:
            return names.index(label)
        return real if label in (REAL, *REAL_KINDS) else bogus

    return np.array([number(str(label)) for label in labels], dtype=np.int64)


def prepared(
    stamps: Stamps, preprocessing: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return inputs of a network, float16, and which stamps can be scored."""
    batch = get_preprocessing(preprocessing)(stamps)
    return {n: each.astype(np.float16) for n, each in batch.inputs.items()}, batch.valid


def simulated_sets(
    config: TransientConfig,
    stages: Stages,
    names: tuple[str, ...] = ('training', 'validation', 'calibrating', 'judged'),
    *,
    jobs: int = -1,
) -> dict[str, Examples]:
    """
    Return simulated candidates.

    Parameters
    ----------
    config : `~astrosieve_training.transient.config.TransientConfig`
        Says which fields, classes and preprocessing.
    stages : `~astrosieve_training.stages.Stages`
        Keeps them.
    names : tuple of str, optional
        Which sets.
    jobs : int, optional
        Fields that are simulated side by side; -1 for as many as there are cores.

    Returns
    -------
    sets : dict of str to `Examples`
        By name. Contested candidates are left out, but of what is judged or labelled.
    """
    if config.validation is None:
        sets = _split(_simulated(config, config.training, stages, 'training', jobs))
        found = {name: sets[name] for name in names}
    else:
        found = {
            name: _simulated(config, getattr(config, name), stages, name, jobs)
            for name in names
        }
    return {
        name: each if name in ('judged', 'labelled') else each.take(~each.contested)
        for name, each in found.items()
    }


def _split(whole: Examples) -> dict[str, Examples]:
    """Split by field: a quarter judged, 30 % of the rest for validation."""
    seeds = np.unique(whole.facts.field)
    order = np.random.default_rng(25).permutation(len(seeds))
    part = order[np.searchsorted(seeds, whole.facts.field)] / len(seeds)
    within = (part >= 0.25) & (part < 0.25 + 0.75 * 0.3)
    judged, validation = whole.take(part < 0.25), whole.take(within)
    return {
        'judged': judged, 'validation': validation, 'calibrating': validation,
        'training': whole.take(part >= 0.25 + 0.75 * 0.3),
    }  # fmt: skip


def _simulated(
    config: TransientConfig, which: FieldSet, stages: Stages, name: str, jobs: int
) -> Examples:
    prepare = config.preprocessing
    lacking = config.incomplete if name in ('training', 'validation') else 0.0
    key = digest(which, prepare, lacking, code_version(simulate, preprocessings))
    arrays = stages.arrays(name, key, partial(_made, prepare, which, lacking, jobs))
    rows = {each: arrays[f'facts.{each}'] for each in Facts.__dataclass_fields__}
    facts = Facts(**rows)
    inputs = {n: v for n, v in arrays.items() if not n.startswith('facts.')}
    return Examples(inputs, class_numbers(facts.label, config.classes), facts)


def _made(
    prepare: str, which: FieldSet, lacking: float, jobs: int
) -> dict[str, np.ndarray]:
    tasks = [
        delayed(_triplets)(prepare, which, lacking, seed)
        for seed in which.seeds[: which.fields]
    ]
    tasks += [delayed(_bands)(prepare, s) for s in which.seeds[: which.band_fields]]
    parts = Parallel(n_jobs=jobs)(tasks)
    inputs = {
        name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]
    }
    facts = joined([part[1] for part in parts])
    return inputs | {f'facts.{name}': each for name, each in vars(facts).items()}


def _triplets(
    prepare: str, which: FieldSet, lacking: float, seed: int
) -> tuple[dict[str, np.ndarray], Facts]:
    rng = np.random.default_rng([seed, 63])
    made = simulate.make_candidates(seed, which.surveys)
    side = int(rng.choice(_SIDES)) if rng.random() < 0.5 else made.stamps.shape[2]
    first = (made.stamps.shape[2] - side) // 2
    middle = slice(first, first + side)
    planes = made.stamps[:, :, middle, middle].copy()
    some = np.flatnonzero(rng.random(len(made)) < lacking)
    planes[some, rng.choice(3, len(some), p=_MISSING)] = np.nan
    told = made.fwhm * rng.normal(1, 0.05) if rng.random() < _TOLD else None
    inputs, valid = prepared(Stamps(planes, fwhm=told), prepare)
    empty = np.full(len(made), '', 'U16')
    facts = Facts(
        made.label, empty, made.snr, made.share, made.fwhm, made.survey, made.field
    )
    return {n: each[valid] for n, each in inputs.items()}, facts.take(valid)


def _bands(prepare: str, seed: int) -> tuple[dict[str, np.ndarray], Facts]:
    made = simulate.make_band_candidates(seed)
    stamps = Stamps(made.stamps, 'bands')
    inputs, valid = prepared(stamps, prepare)
    n = len(made)
    facts = Facts(
        made.kind, made.label, made.snr, made.share, made.fwhm,
        np.full(n, 'bands'), made.field,
    )  # fmt: skip
    return {n: each[valid] for n, each in inputs.items()}, facts.take(valid)


@dataclass(frozen=True)
class Alerts:
    """
    Real alerts, whose labels are none, or of a catalogue's.

    Parameters
    ----------
    inputs : dict of str to float16 `~numpy.ndarray`
        Of the alerts that can be scored.
    table : `~astropy.table.Table`
        Their columns.
    """

    inputs: dict[str, np.ndarray]
    table: Table

    @property
    def key(self) -> str:
        """Hash of the stamps."""
        return arrays_key(self.inputs)

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs of some alerts."""
        return {
            name: each[rows].astype(np.float32) for name, each in self.inputs.items()
        }


def alert_folder() -> Path | None:
    """Return the folder of real alerts, if it is there."""
    hst = data_folder()
    folder = hst.parent / 'others' / 'alerts' if hst else None
    return folder if folder and (folder / 'ztf_train.npz').is_file() else None


def read_alerts(folder: Path, preprocessing: str) -> Alerts:
    """
    Read real alerts.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Holds ``ztf_train.npz``, and ``ztf_train.csv`` with the column ``label``.
    preprocessing : str
        Makes their inputs.
    """
    table = Table.read(folder / 'ztf_train.csv', format='ascii.csv')
    with np.load(folder / 'ztf_train.npz') as kept:
        planes = kept['stamps'].astype(np.float32).transpose(0, 3, 1, 2)
    inputs, valid = prepared(Stamps(np.ascontiguousarray(planes)), preprocessing)
    return Alerts({n: each[valid] for n, each in inputs.items()}, table[valid])


def truly_real(labels: np.ndarray) -> np.ndarray:
    """Return whether labels are of real candidates."""
    return np.isin(labels, (REAL, *REAL_KINDS))


def p_real(p: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Return the sum of the probabilities of real classes."""
    real: np.ndarray = p[:, np.array(is_real(classes))].sum(axis=1)
    return real
