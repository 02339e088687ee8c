"""Settings: TOML files read into frozen dataclasses."""

from __future__ import annotations

import difflib
import tomllib
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from astrosieve.exceptions import AstrosieveError

__all__ = ['ConfigError', 'build_dataclass', 'load_dataclass']


class ConfigError(AstrosieveError, ValueError):
    """A configuration file with an unknown key or an impossible value."""


def require(ok: bool, name: str, value: object, rule: str) -> None:
    if not ok:
        msg = f'{name} must be {rule}; got {value!r}'
        raise ConfigError(msg)


def _build(kind: Any, value: Any, where: str) -> Any:
    """Turn a TOML value into an annotated type."""
    origin = get_origin(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            msg = f'{where} must be a table; got {value!r}'
            raise ConfigError(msg)
        return build_dataclass(kind, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            msg = f'{where} must be a list; got {value!r}'
            raise ConfigError(msg)
        inner = get_args(kind)
        kinds = [inner[0]] * len(value) if Ellipsis in inner else list(inner)
        if len(kinds) != len(value):
            msg = f'{where} must have {len(kinds)} values; got {value!r}'
            raise ConfigError(msg)
        pairs = zip(kinds, value, strict=True)
        return tuple(_build(k, v, f'{where}[{i}]') for i, (k, v) in enumerate(pairs))
    if origin in (Union, types.UnionType):
        if value is None:  # as JSON keeps it; TOML cannot say it
            return None
        kind = next(k for k in get_args(kind) if k is not type(None))
        return _build(kind, value, where)
    accepted = (int, float) if kind is float else kind
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, accepted):
        names = {float: 'a number', int: 'an integer', str: 'a string'}
        msg = f'{where} must be {names.get(kind, kind.__name__)}; got {value!r}'
        raise ConfigError(msg)
    return float(value) if kind is float else value


def build_dataclass(kind: type, values: dict[str, Any], where: str) -> Any:
    """
    Build a section of a configuration.

    Parameters
    ----------
    kind : type
        A dataclass, whose annotations say what is allowed.
    values : dict
        As TOML gives it.
    where : str
        Name of the section for messages; empty for the whole file.

    Returns
    -------
    section : object
        Of ``kind``.

    Raises
    ------
    ConfigError
        If a key is not known, or a value cannot be.
    """
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    prefix = f'{where}.' if where else ''
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f'; did you mean {near[0]!r}?' if near else ''
            msg = f"unknown key '{prefix}{key}'{hint} Known: {', '.join(known)}"
            raise ConfigError(msg)
    missing = [
        name
        for name, f in known.items()
        if name not in values and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        msg = f"'{prefix}{missing[0]}' is missing"
        raise ConfigError(msg)
    built = {k: _build(hints[k], v, f'{prefix}{k}') for k, v in values.items()}
    return kind(**built)


def load_dataclass(kind: type, path: Path) -> Any:
    """
    Read a TOML file into a dataclass.

    Parameters
    ----------
    kind : type
        The dataclass.
    path : `~pathlib.Path`
        The file, which errors name.

    Returns
    -------
    config : object
        Of ``kind``.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, a key is not known or a value
        cannot be.
    """
    try:
        values = tomllib.loads(path.read_text(encoding='utf-8'))
        return build_dataclass(kind, values, '')
    except OSError as error:
        msg = f'{path}: cannot be read ({error.strerror})'
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f'{path}: not valid TOML ({error})'
        raise ConfigError(msg) from error
    except ConfigError as error:
        msg = f'{path}: {error}'
        raise ConfigError(msg) from error
