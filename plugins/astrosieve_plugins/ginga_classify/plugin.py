"""
Find the sources of an image, classify them, look at the classes and correct them.

**Plugin Type: Local**

``ClassifySources`` is a local plugin: each channel has its own.

**Classify**

Open an exposure (FLT, FLC, DRC or any FITS image) and press *Classify*. Sources are
detected with the chosen finder and classified by the network, while the viewer stays
usable; *Cancel* ends it. The FWHM of the PSF is in pixels and is estimated if left
empty; sigma is the detection threshold in units of the sky's noise. Unit of the pixels,
gain (electrons per DN) and exposure time (seconds) are those of the file unless you say
otherwise; the box below the buttons says what is missing. ERR and DQ are read from the
file. *all chips* does every SCI extension of the file; change the
extension with MultiDim to see the others. A plane of a cube is classified as it is
shown, without ERR and DQ.

The finder ``peaks`` finds cosmic rays and spikes as well as stars; ``dao`` and
``iraf`` have cuts of their own that drop many of them before they are classified.

**Classes**

Each line has a class, its marker, how many of its detections are shown out of how
many, and the least probability at which they are shown: untick a class or move its
slider, and the view follows. Detections with a label are shown at any probability.

The colours are those of Okabe & Ito, distinct to colour-blind eyes, or those of WFC3
ISR 2024-14: green circles for stars, red crosses for cosmic rays, blue diamonds for
diffraction spikes.

Where markers would hide an image that is shown small, they shrink, and only the
brightest detections of each part of it have one, besides the labelled and selected
ones; a line on the image says how many have none. Zoom in, at the latest to a scale of
2, and all have. Counts and table are of all.

**Select**

Click a marker, or drag a rectangle around several. With the right button they join the
selection. Click a row of the table and the image moves there. The picture shows the
detection as the network sees it (upper row, one cutout for each scale), what its class
rests on (lower row: red pixels speak for the class, blue ones against it), and the
probabilities. The table lists the detections shown, a page at a time; *doubtful
first* puts those on top that are most worth a look.

**Correct**

Give the selected detections a class with the numbered button at the end of its line,
or with that number typed over the image. To confirm a class, give it. *No label*, or
0, takes labels away. Undo and redo are buttons, and the keys u and U. The keys 0 to 9
zoom as ever where nothing is selected; escape ends the selection. Detections with a
label have double strokes.

**Save and load**

*Catalogue*: the table of the chip shown, with corrected classes and a column ``label``.
*Regions*: points for DS9. *TweakReg catalogue*: 1-based x, y, flux of the stars.
*Labels*: the labels alone, for ``astrosieve-train``; they are added to those that the
file has. With *shown only* what the classes and sliders hide is left out. An existing
file is replaced when Save is pressed again.

*Load* takes a catalogue of ``astrosieve classify`` or of this plugin for the image
shown, or labels for the detections shown. Labels that were not saved are kept until
the viewer ends, also when the plugin is closed.

**Settings**

Defaults are read from ``plugin_ClassifySources.cfg`` in ginga's folder of settings.
"""

from __future__ import annotations

from typing import Any

from astrosieve_plugins.ginga_classify.base import ChannelPlugin
from astrosieve_plugins.ginga_classify.desk import Desk
from astrosieve_plugins.ginga_classify.review import Reviews
from astrosieve_plugins.ginga_classify.settings import Settings

__all__ = ['ClassifySources']


class ClassifySources(ChannelPlugin):
    """
    The plugin, whose methods ginga calls.

    Parameters
    ----------
    fv, fitsimage, ident
        As for `~astrosieve_plugins.ginga_classify.base.ChannelPlugin`.

    Attributes
    ----------
    desk : `~astrosieve_plugins.ginga_classify.desk.Desk` or None
        The panel and what it works on, from `build_gui` to `stop`.
    reviews : `~astrosieve_plugins.ginga_classify.review.Reviews`
        The classified images; labels that were not saved outlive the panel.
    """

    def __init__(
        self, fv: Any, fitsimage: Any, *, ident: str = 'classifysources'
    ) -> None:
        super().__init__(fv, fitsimage, ident=ident)
        self.settings = fv.get_preferences().create_category('plugin_ClassifySources')
        self.settings.add_defaults(**Settings.defaults())
        self.settings.load(onError='silent')
        self.reviews = Reviews()
        self._bad_settings: list[str] = []

    def make_desk(self, box: Any) -> Desk:
        """Put the widgets into a box."""
        settings, self._bad_settings = Settings.read(self.settings)
        return Desk(
            self.fv, self.fitsimage, box, settings, self.reviews, tag=self.layertag
        )

    def start(self) -> None:
        """Show the layer; called after `build_gui`."""
        super().start()
        if self.desk is not None and self._bad_settings:
            names = ', '.join(self._bad_settings)
            self.desk.say(f'settings that are no good, defaults are used: {names}')

    def forget(self, name: str, path: str) -> None:
        """Let go of an image that was removed from the channel."""
        self.reviews.forget(name, path)

    def help(self, text_kind: str = 'rst') -> None:
        """Show the help page."""
        self.fv.help_text('ClassifySources', __doc__, text_kind=text_kind)
