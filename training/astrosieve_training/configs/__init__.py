"""Configurations that come with the package, a folder of TOML files for each task."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from astrosieve_training.settings import ConfigError, not_known, read_toml

__all__ = ['config_kind', 'config_path', 'require_apart']


def config_path(folder: str, name: str | Path) -> Path:
    """
    Return the file of a configuration.

    Parameters
    ----------
    folder : str
        Of this package, as 'blob'; deeper ones with a dot.
    name : str or path-like
        Name of one that comes with the package, or a TOML file.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    path = Path(name)
    if path.suffix == '.toml':
        return path
    known = Path(str(files(f'{__name__}.{folder}')))
    path = known / f'{name}.toml'
    if not path.is_file():
        names = sorted(each.stem for each in known.glob('*.toml'))
        raise ConfigError(not_known('no configuration', str(name), names))
    return path


def config_kind(folder: str, name: str | Path) -> str | None:
    """Return what a configuration says of its ``kind``; None where it says nothing."""
    kind = read_toml(config_path(folder, name)).get('kind')
    return None if kind is None else str(kind)


def require_apart(what: str, sets: Iterable[Iterable[int]]) -> None:
    """
    Refuse sets of which two have a seed in common.

    Parameters
    ----------
    what : str
        What a seed makes, as 'an image'.
    sets : iterable of iterable of int
        Seeds of each.

    Raises
    ------
    ConfigError
        If one is in two.
    """
    seeds = [seed for each in sets for seed in set(each)]
    if len(set(seeds)) < len(seeds):
        msg = f'two sets share {what}; give them seeds farther apart'
        raise ConfigError(msg)
