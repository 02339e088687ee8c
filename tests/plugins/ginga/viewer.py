"""The reference viewer of ginga, without a screen, for the tests of its plugin."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault('QT_QPA_PLATFORM', 'offscreen')

import ginga.toolkit
import numpy as np

ginga.toolkit.use('pyside6')
for name in [name for name in sys.modules if name.startswith('ginga.gw.')]:
    importlib.reload(sys.modules[name])  # was loaded for the canvas, without widgets

from ginga.rv import main as rv  # noqa: E402  (the toolkit is chosen first)
from qtpy import QtCore, QtTest  # noqa: E402

PLUGIN, MASKS = 'ClassifySources', 'ContaminantMask'


class _Errors(logging.Handler):
    """Keep what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Viewer:
    """
    The reference viewer, whose loop the tests turn.

    Parameters
    ----------
    folder : path-like
        Folder of its settings.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        app = rv.ReferenceViewer(
            layout=rv.default_layout,
            plugins=rv.plugins,
            appname='ginga',
            basedir=str(folder),
            channels=['Image'],
        )
        app.add_default_plugins()
        app.add_separately_distributed_plugins()
        parser = ArgumentParser()
        app.add_default_options(parser)
        words = ['--nosplash', '--norestore', '-t', 'pyside6', '--loglevel', '30']
        options, _ = parser.parse_known_args([*words, '--log', str(folder / 'log')])
        app.run = lambda: None
        app.main(options, [])
        self.app = app
        self.fv = app.ginga_shell
        self.fv.gui_thread_id = threading.get_ident()
        self.errors = _Errors()
        self.fv.logger.addHandler(self.errors)
        self.root = self.fv.w.root.get_widget()
        self.root.resize(1500, 950)
        self.rest(0.3)

    def rest(self, seconds: float) -> None:
        """Turn the viewer's loop for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.fv.update_pending(timeout=0.005)

    def wait(self, until: Callable[[], Any], seconds: float = 60) -> None:
        """Turn the viewer's loop until something is true."""
        end = time.monotonic() + seconds
        while not until():
            self.fv.update_pending(timeout=0.005)
            assert time.monotonic() < end, 'nothing came of it'

    def channel(self, name: str) -> Any:
        """Return a channel; a new one if there is none."""
        return self.fv.get_channel_on_demand(name)

    def open(self, path: str | Path, channel: str = 'Image') -> None:
        """Open a file in a channel."""
        before = self.channel(channel).fitsimage.get_image()
        self.fv.gui_do(self.fv.load_file, str(path), chname=channel)
        view = self.channel(channel).fitsimage
        self.wait(lambda: view.get_image() not in (None, before))
        self.rest(0.3)

    def show(self, image: Any, channel: str = 'Image') -> None:
        """Show an image that is no file."""
        self.channel(channel).add_image(image)
        self.rest(0.2)

    def start(self, channel: str = 'Image') -> Plugin:
        """Start the plugin as its menu does."""
        self.fv.start_local_plugin(self.channel(channel).name, PLUGIN)
        self.rest(0.1)
        return Plugin(self, self.channel(channel))

    def start_masks(self, channel: str = 'Image') -> MaskPlugin:
        """Start the plugin of maps."""
        self.fv.start_local_plugin(self.channel(channel).name, MASKS)
        self.rest(0.1)
        return MaskPlugin(self, self.channel(channel))

    def clear(self) -> None:
        """Close the plugin everywhere, and all channels but one, which is emptied."""
        for name in list(self.fv.get_channel_names()):
            channel = self.fv.get_channel(name)
            for plugin in (PLUGIN, MASKS):
                if channel.opmon.is_active(plugin):
                    self.fv.stop_local_plugin(channel.name, plugin)
            classifier = channel.opmon.get_plugin(PLUGIN)
            classifier.reviews = type(classifier.reviews)()
            if name != 'Image':
                self.fv.delete_channel(name)
                continue
            for image in list(channel.get_image_names()):
                self.fv.remove_image_by_name(name, image)
            channel.fitsimage.clear()
        self.rest(0.2)
        self.errors.texts.clear()

    def quit(self) -> None:
        """End the viewer."""
        self.clear()
        self.fv.ev_quit.set()
        self.fv.threadPool.stopall(wait=True)
        self.root.close()


class Plugin:
    """The plugin in one channel, driven through its widgets."""

    def __init__(self, viewer: Viewer, channel: Any) -> None:
        self.viewer = viewer
        self.channel = channel
        self.it = channel.opmon.get_plugin(PLUGIN)
        self.view = channel.fitsimage

    @property
    def desk(self) -> Any:
        """What the plugin has while it is open."""
        return self.it.desk

    @property
    def review(self) -> Any:
        """The detections, None if there are none or the plugin is closed."""
        return None if self.desk is None else self.desk.review

    @property
    def w(self) -> Any:
        """The widgets of the panel."""
        parts = ('options', 'work', 'legend', 'table', 'why', 'files')
        widgets = {}
        for part in parts:
            widgets.update(vars(getattr(self.desk, part)))
        return SimpleNamespace(**widgets)

    @property
    def status(self) -> str:
        return str(self.w.status.get_text())

    @property
    def shown(self) -> int:
        """Number of markers that are drawn."""
        markers = None if self.desk is None else self.desk.layer.markers
        return 0 if markers is None else int(markers.shown.sum())

    def press(self, widget: Any) -> None:
        """Press a button with the mouse."""
        button = widget.get_widget()
        assert button.isEnabled()
        QtTest.QTest.mouseClick(button, QtCore.Qt.LeftButton)
        self.viewer.rest(0.05)

    def choose(self, combo: Any, text: str) -> None:
        """Choose a line of a combo box, as a user does."""
        combo.set_text(text)
        combo.get_widget().activated.emit(combo.get_index())
        self.viewer.rest(0.05)

    def busy(self, *kinds: str) -> bool:
        """Return whether work is under way."""
        return bool(self.desk.worker.busy(*kinds))

    def select(self, *rows: int) -> None:
        """Select rows of the catalogue."""
        self.desk.select(np.array(rows))

    def classify(self) -> None:
        """Press Classify and wait."""
        self.press(self.w.start)
        self.viewer.wait(lambda: not self.busy('classify'))
        self.viewer.rest(0.1)

    def done(self, kind: str) -> None:
        """Wait for the end of another piece of work."""
        self.viewer.wait(lambda: not self.busy(kind))
        self.viewer.rest(0.05)

    def at(self, x: float, y: float) -> Any:
        """Return where a pixel of the image is in the window."""
        return QtCore.QPoint(*(round(v) for v in self.view.get_canvas_xy(x, y)))

    def click(self, x: float, y: float, *, right: bool = False) -> None:
        """Click at a pixel of the image."""
        self.drag((x, y), (x, y), right=right)

    def drag(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        right: bool = False,
    ) -> None:
        """Drag from one pixel of the image to another, with a button."""
        window, test = self.view.get_widget(), QtTest.QTest
        button = QtCore.Qt.RightButton if right else QtCore.Qt.LeftButton
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        test.mousePress(window, button, QtCore.Qt.NoModifier, self.at(*start))
        self.viewer.rest(0.02)
        for place in (middle, end) if start != end else ():
            test.mouseMove(window, self.at(*place))
            self.viewer.rest(0.02)
        test.mouseRelease(window, button, QtCore.Qt.NoModifier, self.at(*end))
        self.viewer.rest(0.1)

    def key(self, key: str) -> None:
        """Type a key over the image."""
        window = self.view.get_widget()
        if key == 'escape':
            QtTest.QTest.keyClick(window, QtCore.Qt.Key_Escape)
        else:
            shift = QtCore.Qt.ShiftModifier if key.isupper() else QtCore.Qt.NoModifier
            QtTest.QTest.keyClick(window, key, shift)
        self.viewer.rest(0.1)

    def save(self, kind: str, path: Path) -> str:
        """Choose what to save, name the file, press Save; return the status."""
        self.choose(self.w.kind, kind)
        self.w.path.set_text(str(path))
        self.press(self.w.save)
        self.done('save')
        return self.status

    def load(self, path: Path) -> str:
        """Name a file, press Load; return the status."""
        self.w.path.set_text(str(path))
        self.press(self.w.load)
        self.viewer.wait(lambda: not self.busy('classify'))
        self.viewer.rest(0.05)
        return self.status

    def close(self) -> None:
        """Press Close."""
        self.it.close()
        self.viewer.rest(0.1)


class MaskPlugin(Plugin):
    """The plugin of maps in one channel, driven through its widgets."""

    def __init__(self, viewer: Viewer, channel: Any) -> None:
        super().__init__(viewer, channel)
        self.it = channel.opmon.get_plugin(MASKS)

    @property
    def w(self) -> Any:
        """The widgets of the panel."""
        widgets = vars(self.desk.work) | vars(self.desk.legend) | vars(self.desk)
        return SimpleNamespace(**widgets)

    @property
    def status(self) -> str:
        return str(self.desk.work.status.get_text())

    def map(self) -> None:
        """Press Map and wait."""
        self.press(self.desk.work.start)
        self.done('map')
        self.viewer.rest(0.1)
