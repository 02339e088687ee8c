"""The widgets that say how sources are found and classified."""

from __future__ import annotations

from typing import Any

from astrosieve.exceptions import AstrosieveError, CatalogError
from astrosieve.models.registry import list_models
from astrosieve.source.exposures import ClassifyOptions
from astrosieve.source.finders import list_finders
from astrosieve_plugins.ginga_classify.settings import Settings
from astrosieve_plugins.ginga_classify.widgets import check, choice, entry, label, row

__all__ = ['OptionsBox']


class OptionsBox:
    """
    Finder, width of the PSF, threshold, model.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    settings : `~astrosieve_plugins.ginga_classify.settings.Settings`
        What it says at first.
    """

    def __init__(self, box: Any, settings: Settings) -> None:
        finders = list_finders()
        try:
            models = list_models()
        except AstrosieveError:
            models = []  # Classify will say what is wrong
        for names, chosen in ((finders, settings.finder), (models, settings.model)):
            if chosen not in names:
                names.append(chosen)
        self.finder = choice(
            finders, settings.finder, tip='peaks also finds cosmic rays and spikes'
        )
        fwhm = f'{settings.fwhm:g}' if settings.fwhm else ''
        self.fwhm = entry(fwhm, 'FWHM of the PSF, pixels; empty: estimated', 4)
        self.nsigma = entry(f'{settings.nsigma:g}', 'Threshold over the noise', 4)
        self.model = choice(models, settings.model)
        self.all_chips = check(
            'all chips', settings.all_chips, 'Classify every SCI extension of the file'
        )
        detection = row(
            (label('finder'), 0),
            (self.finder, 1),
            (label('FWHM'), 0),
            (self.fwhm, 0),
            (label('sigma'), 0),
            (self.nsigma, 0),
        )
        box.add_widget(detection)
        model = row((label('model'), 0), (self.model, 1), (self.all_chips, 0))
        box.add_widget(model)

    def options(self) -> ClassifyOptions:
        """Return what the widgets say; a number that is none is a `CatalogError`."""
        fwhm = self.fwhm.get_text().strip()
        return ClassifyOptions(
            finder=self.finder.get_text(),
            fwhm=_positive('fwhm', fwhm) if fwhm else None,
            nsigma=_positive('sigma', self.nsigma.get_text().strip()),
            model=self.model.get_text(),
        )


def _positive(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1000:
        msg = f'{name} must be a positive number; got {text!r}'
        raise CatalogError(msg)
    return number
