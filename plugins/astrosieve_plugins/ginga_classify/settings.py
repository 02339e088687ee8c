"""Settings of the plugin, as ginga reads them from their file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from astrosieve.classes import CONVENTIONS
from astrosieve_plugins.ginga_classify.review import ORDERS

__all__ = ['Settings']


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (int, float)) and low <= value <= high


_CHECKS: dict[str, Callable[[Any], bool]] = {
    'finder': _text,
    'fwhm': _number(0, float('inf')),
    'nsigma': lambda value: _number(0, float('inf'))(value) and value > 0,
    'unit': _text,
    'gain': _number(0, float('inf')),
    'exptime': _number(0, float('inf')),
    'model': _text,
    'all_chips': lambda value: isinstance(value, bool),
    'convention': lambda value: value in CONVENTIONS,
    'marker_size': _number(0.3, 5),
    'hidden_classes': lambda value: isinstance(value, (list, tuple)),
    'thresholds': lambda value: (
        isinstance(value, dict) and all(map(_number(0, 1), value.values()))
    ),
    'order': lambda value: value in ORDERS,
    'page_rows': lambda value: isinstance(value, int) and 1 <= value <= 5000,
    'save_folder': _text,
}


@dataclass(frozen=True)
class Settings:
    """
    Settings of the plugin; ``plugin_ClassifySources.cfg`` says what they are.
    """

    finder: str = 'peaks'
    fwhm: float = 0.0
    nsigma: float = 5.0
    unit: str = ''
    gain: float = 0.0
    exptime: float = 0.0
    model: str = 'source'
    all_chips: bool = False
    convention: str = 'colour-blind'
    marker_size: float = 1.0
    hidden_classes: list[str] = field(default_factory=list)
    thresholds: dict[str, float] = field(default_factory=dict)
    order: str = 'id'
    page_rows: int = 500
    save_folder: str = ''

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the defaults, as ginga takes them."""
        return asdict(cls())

    @classmethod
    def read(cls, group: Any) -> tuple[Settings, list[str]]:
        """
        Read ginga's settings.

        Parameters
        ----------
        group : `ginga.misc.Settings.SettingGroup`
            Those of the plugin.

        Returns
        -------
        settings : `Settings`
            The default in place of what is no good.
        bad : list of str
            Names of what is no good.
        """
        values = {
            name: group.get(name, value) for name, value in cls.defaults().items()
        }
        bad = [name for name, good in _CHECKS.items() if not good(values[name])]
        return cls(**{k: v for k, v in values.items() if k not in bad}), bad
