"""
Ginga: the local plugins ``ClassifySources`` and ``ContaminantMask``, and overlays.

`plugin_spec` and `mask_spec` are entries of the group ``ginga.rv.plugins``. The class
of a plugin is in a module of its own, which ginga loads, and loads again, by its name.

Of any task: `base` (how a plugin begins and ends), `shown` (what a channel shows),
`work` (threads), `widgets`. Of sources: `classify` does the work and `review` holds
what comes of it; `options`, `legend`, `table`, `why` and `files` are parts of the
panel, `layer` and `canvas` the markers on the image; a `desk` connects them, from the
plugin's start to its end. Of contaminants: `contaminants` does the work, `map_layer`
puts colours on the image, and `mask_desk` is the panel of `mask_plugin`.
"""

from __future__ import annotations

from typing import Any

__all__ = ['mask_spec', 'plugin_spec']


def plugin_spec() -> Any:
    """
    Say to ginga what the plugin of sources is.

    Returns
    -------
    spec : `ginga.misc.Bunch.Bunch`

    Raises
    ------
    ImportError
        If ginga is not installed.
    """
    return _spec('plugin', 'ClassifySources', 'Classify Sources')


def mask_spec() -> Any:
    """
    Say to ginga what the plugin of contaminants is.

    Returns
    -------
    spec : `ginga.misc.Bunch.Bunch`

    Raises
    ------
    ImportError
        If ginga is not installed.
    """
    return _spec('mask_plugin', 'ContaminantMask', 'Contaminant Mask')


def _spec(module: str, name: str, menu: str) -> Any:
    try:
        from ginga.misc.Bunch import Bunch
    except ImportError as error:
        msg = f"{__name__} needs ginga ({error}): pip install 'astrosieve[ginga]'"
        raise ImportError(msg) from error
    return Bunch(
        module=f'astrosieve_plugins.ginga_classify.{module}',
        klass=name,
        name=name,
        ptype='local',
        workspace='dialogs',
        category='Analysis',
        menu=menu,
        tab=name,
        enabled=True,
    )
