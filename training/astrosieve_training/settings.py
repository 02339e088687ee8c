"""
Settings: TOML files read into frozen dataclasses whose annotations are the rules.

An annotation says the type of a value, and as ``Annotated[float, Rule(...)]`` what else
it must be. A dataclass that derives from `Settings` obeys its rules however it is made.
"""

from __future__ import annotations

import difflib
import math
import tomllib
import types
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from astrosieve.exceptions import AstrosieveError

__all__ = [
    'ConfigError',
    'Count',
    'Natural',
    'NotNegative',
    'Positive',
    'Rule',
    'Settings',
    'Share',
    'at_least',
    'between',
    'build_dataclass',
    'load_dataclass',
    'not_known',
    'one_of',
    'read_toml',
    'require',
]

_T = TypeVar('_T')


class ConfigError(AstrosieveError, ValueError):
    """A configuration file with an unknown key or an impossible value."""


@dataclass(frozen=True)
class Rule:
    """
    What a value must be, to stand in an annotation.

    Parameters
    ----------
    text : str
        Ends the sentence 'KEY must be ...'.
    holds : callable
        Whether a value obeys.
    """

    text: str
    holds: Callable[[Any], bool]


def at_least(least: float) -> Rule:
    """Return the rule of finite numbers that are not below one."""
    return Rule(f'{least:g} or more', lambda value: least <= value < math.inf)


def between(low: float, high: float) -> Rule:
    """Return the rule of numbers between two, which are left out."""
    return Rule(f'above {low:g} and below {high:g}', lambda value: low < value < high)


def one_of(*names: str) -> Rule:
    """Return the rule of a choice of names."""
    return Rule(f'one of {", ".join(map(repr, names))}', lambda value: value in names)


Positive = Annotated[float, Rule('positive', lambda value: 0 < value < math.inf)]
NotNegative = Annotated[float, at_least(0)]
Share = Annotated[float, Rule('a share between 0 and 1', lambda value: 0 <= value <= 1)]
Natural = Annotated[int, at_least(0)]
Count = Annotated[int, at_least(1)]


def require(ok: bool, name: str, value: object, rule: str) -> None:
    """Refuse a value that breaks a rule, for rules about several values."""
    if not ok:
        msg = f'{name} must be {rule}; got {value!r}'
        raise ConfigError(msg)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _obey(hint: Any, value: Any, name: str) -> None:
    """Hold a value, and what is in it, to the rules of its annotation."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        _obey(inner[0], value, name)
        for rule in hint.__metadata__:
            require(rule.holds(value), name, value, rule.text)
    elif origin is tuple:
        for i, each in enumerate(value):
            _obey(inner[0 if Ellipsis in inner else i], each, f'{name}[{i}]')


class Settings:
    """Base of dataclasses that hold their values to the rules of their annotations."""

    def __post_init__(self) -> None:
        kind: type = type(self)
        for name, hint in _hints(kind).items():
            _obey(hint, getattr(self, name), name)


def not_known(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message that something is not known, with the nearest that is."""
    known = list(known)
    last = name.rpartition('.')[2]
    near = difflib.get_close_matches(last, known, n=1, cutoff=0.4)
    hint = f'; did you mean {near[0]!r}?' if near else '.'
    return f'{what} {name!r}{hint} Known: {", ".join(known)}'


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


def build_dataclass(kind: type[_T], values: dict[str, Any], where: str) -> _T:
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
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    prefix = f'{where}.' if where else ''
    for key in values:
        if key not in known:
            msg = not_known('unknown key', f'{prefix}{key}', known)
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
    try:
        return kind(**built)
    except ConfigError as error:
        msg = f'{prefix}{error}'
        raise ConfigError(msg) from error


def load_dataclass(kind: type[_T], path: Path, **defaults: Any) -> _T:
    """
    Read a TOML file into a dataclass.

    Parameters
    ----------
    kind : type
        The dataclass.
    path : `~pathlib.Path`
        The file, which errors name.
    **defaults : object
        Values of keys that the file does not give.

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
    values = read_toml(path)
    try:
        return build_dataclass(kind, defaults | values, '')
    except ConfigError as error:
        msg = f'{path}: {error}'
        raise ConfigError(msg) from error


def read_toml(path: Path) -> dict[str, Any]:
    """
    Read a TOML file.

    Raises
    ------
    ConfigError
        If it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        msg = f'{path}: cannot be read ({error.strerror})'
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f'{path}: not valid TOML ({error})'
        raise ConfigError(msg) from error
