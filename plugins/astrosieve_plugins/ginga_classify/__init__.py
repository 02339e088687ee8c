"""
Ginga: the local plugin ``ClassifySources`` of the reference viewer, and its overlay.

`plugin_spec` is the entry of the group ``ginga.rv.plugins``. The class of the plugin
is in a module of its own, which ginga loads, and loads again, by its name.

Of any task: `shown` (what a channel shows), `work` (threads), `widgets`. Of sources:
`classify` does the work and `review` holds what comes of it; `options`, `legend`,
`table`, `why` and `files` are parts of the panel, `layer` and `canvas` the markers on
the image; a `desk` connects them, from the plugin's start to its end.
"""

from __future__ import annotations

from typing import Any

__all__ = ['plugin_spec']


def plugin_spec() -> Any:
    """
    Say to ginga what the plugin is.

    Returns
    -------
    spec : `ginga.misc.Bunch.Bunch`

    Raises
    ------
    ImportError
        If ginga is not installed.
    """
    try:
        from ginga.misc.Bunch import Bunch
    except ImportError as error:
        msg = f"{__name__} needs ginga ({error}): pip install 'astrosieve[ginga]'"
        raise ImportError(msg) from error
    return Bunch(
        module='astrosieve_plugins.ginga_classify.plugin',
        klass='ClassifySources',
        name='ClassifySources',
        ptype='local',
        workspace='dialogs',
        category='Analysis',
        menu='Classify Sources',
        tab='ClassifySources',
        enabled=True,
    )
