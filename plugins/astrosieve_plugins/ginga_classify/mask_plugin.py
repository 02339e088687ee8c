"""
Map what spoils the pixels of an image, and look at the map over it.

**Plugin Type: Local**

``ContaminantMask`` is a local plugin: each channel has its own.

**Map**

Open an image and press *Map*. A network says for each pixel, and for each of fifteen
classes, how likely it is that the class holds there; the viewer stays usable, and
*Cancel* ends it. Of unit, gain and camera it is told nothing. Pixels that are NaN, or
without signal by the file's DQ, are left out.

**Look**

Each class has its colour, the share of the pixels it holds, and a slider for how much
of the image it hides; untick a class to see what lies below it. Click a pixel: its
probabilities stand at the end of the lines.

**Save**

A FITS file with the probabilities, PROB, and the bits of the classes that hold, MASK,
as ``astrosieve segment`` writes it. An existing file is replaced when Save is pressed
again.
"""

from __future__ import annotations

from typing import Any

from astrosieve_plugins.ginga_classify.base import ChannelPlugin
from astrosieve_plugins.ginga_classify.contaminants import Mapped
from astrosieve_plugins.ginga_classify.mask_desk import MaskDesk

__all__ = ['ContaminantMask']


class ContaminantMask(ChannelPlugin):
    """
    The plugin, whose methods ginga calls.

    Parameters
    ----------
    fv, fitsimage, ident
        As for `~astrosieve_plugins.ginga_classify.base.ChannelPlugin`.

    Attributes
    ----------
    desk : `~astrosieve_plugins.ginga_classify.mask_desk.MaskDesk` or None
        The panel and what it works on, from `build_gui` to `stop`.
    maps : dict of tuple to `~astrosieve_plugins.ginga_classify.contaminants.Mapped`
        Of the channel's images.
    """

    def __init__(
        self, fv: Any, fitsimage: Any, *, ident: str = 'contaminantmask'
    ) -> None:
        super().__init__(fv, fitsimage, ident=ident)
        self.settings = fv.get_preferences().create_category('plugin_ContaminantMask')
        self.settings.add_defaults(model='contaminant', save_folder='')
        self.settings.load(onError='silent')
        self.maps: dict[tuple, Mapped] = {}

    def make_desk(self, box: Any) -> MaskDesk:
        """Put the widgets into a box."""
        return MaskDesk(
            self.fv,
            self.fitsimage,
            box,
            self.maps,
            tag=self.layertag,
            model=str(self.settings['model']),
            folder=str(self.settings['save_folder']),
        )

    def forget(self, name: str, path: str) -> None:
        """Let go of an image that was removed from the channel."""
        for key in [key for key in self.maps if key[0] in (name, path)]:
            del self.maps[key]

    def stop(self) -> None:
        """Take the layer away and let go of the maps."""
        super().stop()
        self.maps.clear()

    def help(self, text_kind: str = 'rst') -> None:
        """Show the help page."""
        self.fv.help_text('ContaminantMask', __doc__, text_kind=text_kind)
