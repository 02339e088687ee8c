"""The widgets that say how sources are found and classified."""

from __future__ import annotations

import re
from typing import Any

from astrosieve.exceptions import AstrosieveError, CatalogError
from astrosieve.models.registry import list_models
from astrosieve.source.exposures import ClassifyOptions
from astrosieve.source.finders import list_finders
from astrosieve_plugins.ginga_classify.settings import Settings
from astrosieve_plugins.ginga_classify.widgets import check, choice, entry, label, row

__all__ = ['OptionsBox', 'as_labels']

# What the panel calls the keywords of `ClassifyOptions`.
_LABELS = {
    'finder': 'finder',
    'fwhm': 'FWHM',
    'nsigma': 'sigma',
    'unit': 'unit',
    'gain': 'gain',
    'exptime': 'exposure',
    'model': 'model',
}
_KEYWORD = re.compile(rf'\b({"|".join(_LABELS)})=')
_OF_THE_FILE = 'of the file'
_UNITS = ('electron', 'electron/s', 'DN', 'DN/s')


def as_labels(text: str) -> str:
    """Return a message of the library in words of the panel."""
    return _KEYWORD.sub(lambda m: f"'{_LABELS[m[1]]}' in the panel", text)


class OptionsBox:
    """
    Finder, width of the PSF, threshold, unit of the pixels, model.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    settings : `~astrosieve_plugins.ginga_classify.settings.Settings`
        What it says at first.
    """

    def __init__(self, box: Any, settings: Settings) -> None:
        finders, units = list_finders(), [_OF_THE_FILE, *_UNITS]
        try:
            models = list_models()
        except AstrosieveError:
            models = []  # Classify will say what is wrong
        unit = settings.unit or _OF_THE_FILE
        for names, chosen in (
            (finders, settings.finder),
            (units, unit),
            (models, settings.model),
        ):
            if chosen not in names:
                names.append(chosen)
        self.finder = choice(
            finders, settings.finder, tip='peaks also finds cosmic rays and spikes'
        )
        self.fwhm = _number(settings.fwhm, 'FWHM of the PSF, pixels; empty: estimated')
        self.nsigma = _number(settings.nsigma, 'Threshold over the noise; empty: 5')
        self.unit = choice(units, unit, tip='Unit of the pixels')
        self.gain = _number(settings.gain, 'Electrons per DN; empty: of the file')
        self.exptime = _number(
            settings.exptime, 'Exposure time, seconds; empty: of the file'
        )
        self.model = choice(models, settings.model)
        self.all_chips = check(
            'all chips', settings.all_chips, 'Classify every SCI extension of the file'
        )
        for first, *others in (
            ('finder', 'fwhm', 'nsigma'),
            ('unit', 'gain', 'exptime'),
        ):
            line = [(label(_LABELS[first]), 0), (getattr(self, first), 1)]
            for name in others:
                line += [(label(_LABELS[name]), 0), (getattr(self, name), 0)]
            box.add_widget(row(*line))
        model = row((label(_LABELS['model']), 0), (self.model, 1), (self.all_chips, 0))
        box.add_widget(model)

    def options(self) -> ClassifyOptions:
        """Return what the widgets say; a number that is none is a `CatalogError`."""
        unit = self.unit.get_text()
        return ClassifyOptions(
            finder=self.finder.get_text(),
            fwhm=self._positive('fwhm'),
            nsigma=self._positive('nsigma') or ClassifyOptions.nsigma,
            unit=None if unit == _OF_THE_FILE else unit,
            gain=self._positive('gain'),
            exptime=self._positive('exptime'),
            model=self.model.get_text(),
        )

    def _positive(self, name: str) -> float | None:
        """Return a number that is typed, None where none is."""
        text = getattr(self, name).get_text().strip()
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 < number < float('inf'):
            msg = f'{_LABELS[name]} must be a positive number; got {text!r}'
            raise CatalogError(msg)
        return number


def _number(value: float, tip: str) -> Any:
    """Return a line for a number; 0 is none."""
    return entry(f'{value:g}' if value else '', tip, 4)
