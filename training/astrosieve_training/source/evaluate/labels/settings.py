"""What the step label is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from astrosieve_training.settings import ConfigError, load_dataclass, not_known
from astrosieve_training.simulate.files import write_dithered_set
from astrosieve_training.simulate.plans import ExposurePlan, exposure_key
from astrosieve_training.source.evaluate.labels.primitives import PrimitiveField

__all__ = ['LabelChecks', 'label_checks_file', 'load_label_checks']

_FOLDER = Path(__file__).parents[3] / 'configs' / 'source' / 'labelling'
_PACKAGED = ('source', 'galaxies')


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
    vary : bool
        Whether densities and exposure time are drawn about the given ones.
    """

    name: str
    camera: str
    scene: str
    seeds: tuple[int, ...]
    exptime: float = 0.0
    exposures: int = 4
    shape: tuple[int, int] = (0, 0)
    vary: bool = False

    def plan(self, seed: int) -> ExposurePlan:
        """Return what is simulated from a seed."""
        return ExposurePlan(
            _camera(self.camera), self.scene, self.exptime, seed, self.shape, self.vary
        )

    def decides(self, seed: int) -> str:
        """Return a hash of all that decides the exposures of a seed."""
        return exposure_key(self.plan(seed))

    def write(self, seed: int, folder: Path) -> list[tuple[Path, Path]]:
        """Write the exposures of a seed; return them, and their truth."""
        return write_dithered_set(self.plan(seed), self.exposures, folder)


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
    primitive : tuple of `PrimitiveField`
        The same, of another simulator.
    network : `NetworkCheck` or None
        Of the first field.
    tuned : tuple of `Tuned`
        Cameras.
    seed : int
        Of what is drawn.
    """

    fields: tuple[Field, ...]
    primitive: tuple[PrimitiveField, ...] = ()
    network: NetworkCheck | None = None
    tuned: tuple[Tuned, ...] = ()
    seed: int = 0


def _camera(name: str) -> str:
    """Return a camera's name, or the file of one that only these checks have."""
    own = _FOLDER / f'{name}.toml'
    return str(own) if own.is_file() else name


def label_checks_file(name: str) -> Path:
    """
    Return the file of packaged checks.

    Parameters
    ----------
    name : str
        'source', or 'galaxies'.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ConfigError
        If there are none of this name.
    """
    if name not in _PACKAGED:
        msg = not_known('no checks of labels', name, _PACKAGED)
        raise ConfigError(msg)
    return _FOLDER / f'{name}.toml'


def load_label_checks(path: Path = _FOLDER / 'source.toml') -> LabelChecks:
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
    return load_dataclass(LabelChecks, path)
