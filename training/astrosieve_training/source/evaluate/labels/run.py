"""
How right the labels of the step label are, and what networks learn from them.

Dithered sets are simulated, labelled as a user would, and compared with their truth,
beside simpler ways to the same labels. The report's network is trained on the labels
and on the truth, and judged on other fields. The shipped network is fitted to cameras
that it has not seen by labels of their own. What is finished is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from astrosieve.atomic import atomic_path
from astrosieve_training.simulate.files import simulator_version
from astrosieve_training.source.config import ExposurePlan, digest, load_dataclass
from astrosieve_training.source.evaluate.figures import slug
from astrosieve_training.source.evaluate.labels.networks import (
    check_network,
    check_tuned,
)
from astrosieve_training.source.evaluate.labels.tables import table_lines
from astrosieve_training.source.evaluate.labels.truth import check_field, check_ngc1261
from astrosieve_training.stages import Stages

__all__ = ['LabelChecks', 'check_labels', 'load_label_checks']

_FILE = Path(__file__).parents[3] / 'configs' / 'source' / 'labelling' / 'source.toml'


@dataclass(frozen=True)
class Field:
    """
    Dithered exposures of one kind of field.

    Parameters
    ----------
    name : str
        What tables call it.
    camera, scene : str
        Of the simulator.
    exptime : float
        Seconds; 0 for the camera's usual one.
    seeds : tuple of int
        Of the fields; the embedding has the same.
    exposures : int
        Of each field.
    shape : tuple of int
        ``(ny, nx)``; ``(0, 0)`` for all chips, whole.
    """

    name: str
    camera: str
    scene: str
    seeds: tuple[int, ...]
    exptime: float = 0.0
    exposures: int = 4
    shape: tuple[int, int] = (0, 0)

    def plan(self, seed: int) -> ExposurePlan:
        """Return what is simulated from a seed."""
        return ExposurePlan(
            _camera(self.camera), self.scene, self.exptime, seed, self.shape
        )


@dataclass(frozen=True)
class NetworkCheck:
    """
    A network trained on labels and on the truth.

    Parameters
    ----------
    config : str
        Its configuration, of which the exposures are not used.
    training, judged : tuple of int
        Seeds, of the first field.
    per_class : int
        Largest number of labels of a class from each field.
    """

    config: str
    training: tuple[int, ...]
    judged: tuple[int, ...]
    per_class: int = 8000


@dataclass(frozen=True)
class Tuned:
    """
    A camera that the shipped network is fitted to.

    Parameters
    ----------
    name, camera, scene : str
        What tables call it, and what is simulated.
    seeds : tuple of int
        Of the fields that are labelled; each fits a network.
    judged : tuple of int
        Seeds of the exposures that judge.
    labels : int
        Labels of a field that are used, drawn at random, the classes as evenly as may
        be.
    exposures : int
        Of each field.
    shape : tuple of int
        ``(ny, nx)``.
    exptime : float
        Seconds; 0 for the camera's usual one.
    """

    name: str
    camera: str
    scene: str
    seeds: tuple[int, ...]
    judged: tuple[int, ...]
    labels: int = 3000
    exposures: int = 4
    shape: tuple[int, int] = (1024, 1024)
    exptime: float = 0.0

    def field(self, seed: int) -> Field:
        """Return the field of a seed."""
        return Field(
            self.name, self.camera, self.scene, (seed,), self.exptime,
            self.exposures, self.shape,
        )  # fmt: skip


@dataclass(frozen=True)
class LabelChecks:
    """
    All that is checked.

    Parameters
    ----------
    fields : tuple of `Field`
        Whose labels are compared with the truth.
    network : `NetworkCheck` or None
        Of the first field.
    tuned : tuple of `Tuned`
        Cameras.
    seed : int
        Of what is drawn.
    """

    fields: tuple[Field, ...]
    network: NetworkCheck | None = None
    tuned: tuple[Tuned, ...] = ()
    seed: int = 0


def _camera(name: str) -> str:
    """Return a camera's name, or the file of one that only these checks have."""
    own = _FILE.parent / f'{name}.toml'
    return str(own) if own.is_file() else name


def load_label_checks(path: Path = _FILE) -> LabelChecks:
    """
    Read what is to be checked.

    Parameters
    ----------
    path : `~pathlib.Path`, optional
        TOML file; the packaged one by default.

    Returns
    -------
    checks : `LabelChecks`

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is not known or a value cannot be.
    """
    checks: LabelChecks = load_dataclass(LabelChecks, path)
    return checks


def _code_version() -> str:
    here = Path(__file__).parent
    files = sorted([*here.parents[1].glob('label/*.py'), *here.glob('*.py')])
    texts = [path.read_text(encoding='utf-8') for path in files]
    return digest(*texts, simulator_version())


def check_labels(
    checks: LabelChecks, folder: Path, *, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """
    Do all checks.

    Parameters
    ----------
    checks : `LabelChecks`
        What is checked.
    folder : `~pathlib.Path`
        Keeps exposures, stages and results; gets ``labelling.json`` and
        ``labelling.md``.
    say : callable, optional
        Told, in a line, what begins.

    Returns
    -------
    results : dict
        ``fields`` (one dict per seed), ``network``, ``tuned``, ``ngc1261``.
    """
    tell = say or (lambda text: None)
    folder.mkdir(parents=True, exist_ok=True)
    stages = Stages(folder / 'results', tell)
    code = _code_version()
    results: dict[str, Any] = {'fields': [], 'tuned': {}}
    for field in checks.fields:
        for seed in field.seeds:
            key = digest(code, field, seed)
            results['fields'].append(
                stages.record(
                    f'{slug(field.name)}-{seed}', key,
                    partial(check_field, field, seed, folder, tell),
                )
            )  # fmt: skip
    key = digest(code)
    real = stages.record('ngc1261', key, lambda: {'found': check_ngc1261(folder, tell)})
    results['ngc1261'] = real['found']
    if checks.network is not None:
        key = digest(code, checks.network, checks.fields[0], checks.seed)
        results['network'] = stages.record(
            'network', key, lambda: check_network(checks, folder, tell)
        )
    for tuned in checks.tuned:
        key = digest(code, tuned, checks.seed)
        results['tuned'][tuned.name] = stages.record(
            f'tuned-{slug(tuned.name)}', key,
            partial(check_tuned, tuned, checks, folder, tell),
        )  # fmt: skip
    text = json.dumps(results, indent=2) + '\n'
    with atomic_path(folder / 'labelling.json', overwrite=True) as temporary:
        temporary.write_text(text, encoding='utf-8')
    lines = '\n'.join(table_lines(results)) + '\n'
    with atomic_path(folder / 'labelling.md', overwrite=True) as temporary:
        temporary.write_text(lines, encoding='utf-8')
    return results
