"""
Take the picture of a plugin at work on the bundled exposure.

Run it on a screen, or without one:
``xvfb-run -a -s "-screen 0 1600x1000x24" python tests/plugins/ginga/screenshot.py PNG``
With ``PNG MODEL`` it is ContaminantMask, with that model.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from astrosieve.source.demo import demo_exposure


def classify(viewer: Any) -> None:
    """Classify the exposure, select a star, label some detections."""
    plugin = viewer.start()
    plugin.classify()
    review = plugin.review
    viewer.rest(1.5)
    plugin.view.zoom_fit()
    plugin.view.cut_levels(-15, 120)
    plugin.choose(plugin.w.order, 'doubtful first')
    plugin.w.slider['cosmic_ray'].get_widget().setValue(60)
    stars = np.flatnonzero(review.codes == review.classes.index('star'))
    middle = np.hypot(*(review.xy[stars] - 200).T)
    plugin.select(stars[middle.argmin()])
    plugin.press(plugin.w.assign['star'])
    plugin.done('explain')
    viewer.rest(1.0)


def segment(viewer: Any) -> None:
    """Map the exposure, and read the brightest star's probabilities."""
    plugin = viewer.start_masks()
    plugin.map()
    viewer.rest(1.5)
    plugin.view.zoom_fit()
    plugin.view.cut_levels(-15, 120)
    viewer.rest(0.3)
    y, x = np.unravel_index(
        np.nanargmax(plugin.desk.target.data), plugin.desk.target.data.shape
    )
    plugin.click(int(x), int(y))
    viewer.rest(1.0)


def main(picture: Path, model: str = '') -> None:
    """Take the picture."""
    os.environ.setdefault('QT_QPA_PLATFORM', 'xcb')
    spec = importlib.util.spec_from_file_location(
        'ginga_viewer', Path(__file__).with_name('viewer.py')
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules['ginga_viewer'] = module
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory() as folder:
        if model:
            settings = Path(folder) / 'plugin_ContaminantMask.cfg'
            settings.write_text(f'model = {model!r}\n')
        viewer = module.Viewer(Path(folder))
        # The viewer keeps thumbnails beside what it opens.
        exposure = shutil.copy(demo_exposure(), folder)
        viewer.open(f'{exposure}[SCI,1]')
        segment(viewer) if model else classify(viewer)
        viewer.root.grab().save(str(picture))
        with Image.open(picture) as image:
            # Median cut loses the colours of rare classes.
            small = image.convert('RGB').quantize(
                256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
            )
        small.save(picture, optimize=True)
        assert viewer.errors.texts == []
        viewer.quit()


if __name__ == '__main__':
    main(Path(sys.argv[1]), *sys.argv[2:3])
