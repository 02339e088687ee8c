"""The plugin of maps in the reference viewer, driven through its widgets."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('ginga')
pytest.importorskip('PySide6')

from astropy.io import fits

from astrosieve.contaminant import CLASSES, read_contaminants
from astrosieve_plugins.ginga_classify import mask_spec


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of 150x210 pixels: a hit at (50, 40), a star, a dead pixel."""
    sci = np.random.default_rng(1).normal(100, 5, (150, 210)).astype(np.float32)
    y, x = np.mgrid[:150, :210]
    sci += 3e4 * np.exp(-((y - 100) ** 2 + (x - 120) ** 2) / 18)
    sci[40, 50] += 2000
    dq = np.zeros(sci.shape, np.int16)
    dq[10, 10] = 4
    path = tmp_path / 'm1.fits'
    planes = [fits.ImageHDU(sci, name='SCI'), fits.ImageHDU(dq, name='DQ')]
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(path)
    return path


@pytest.fixture
def mapped(viewer: Any, image: Path) -> Any:
    """The plugin with the image mapped."""
    viewer.open(f'{image}[SCI,1]')
    plugin = viewer.start_masks()
    plugin.map()
    assert plugin.desk.mapped is not None, plugin.status
    return plugin


def colour_at(plugin: Any, x: float, y: float) -> np.ndarray:
    """Return the colour of a pixel of the image in the window."""
    pixels = np.array(plugin.view.renderer.get_surface_as_array(order='RGB'))
    across, down = plugin.view.get_canvas_xy(x, y)
    return pixels[round(down), round(across)].astype(int)


def hue(name: str) -> np.ndarray:
    color = CLASSES[name].marker.color
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


def test_ginga_finds_and_loads_the_plugin(viewer: Any) -> None:
    """It is registered, loaded, and in the menu; its help is the page of its module."""
    (entry,) = entry_points(group='ginga.rv.plugins', name='ContaminantMask')
    assert entry.load() is mask_spec
    opmon = viewer.channel('Image').opmon
    assert opmon.has_plugin('ContaminantMask')
    assert 'ContaminantMask' in [s.get('name') for s in viewer.fv.get_plugins()]


def test_a_map_is_drawn(mapped: Any, viewer: Any) -> None:
    """Each class in its colour where it holds, as much as its slider says."""
    assert '% object' in mapped.status
    assert mapped.w.share['object'].get_text().endswith(' %')
    assert mapped.w.share['fringe'].get_text() == '0 %'
    mapped.view.scale_to(4, 4)
    mapped.view.panset_xy(50, 40)
    mapped.w.slider['cosmic_ray'].get_widget().setValue(100)
    viewer.rest(0.4)
    assert np.abs(colour_at(mapped, 50, 40) - hue('cosmic_ray')).max() < 12
    assert np.ptp(colour_at(mapped, 60, 40)) < 12
    mapped.w.tick['cosmic_ray'].get_widget().click()
    viewer.rest(0.4)
    assert np.ptp(colour_at(mapped, 50, 40)) < 12


def test_a_click_reads_the_probabilities(mapped: Any, viewer: Any) -> None:
    """Of the pixel below it; of one that is not usable nothing is known."""
    mapped.view.scale_to(4, 4)
    mapped.view.panset_xy(50, 40)
    viewer.rest(0.1)
    mapped.click(50, 40)
    assert '(50, 40): cosmic ray' in mapped.status
    assert float(mapped.w.here['cosmic_ray'].get_text()) > 0.99
    assert float(mapped.w.here['fringe'].get_text()) == 0
    mapped.view.panset_xy(10, 10)
    viewer.rest(0.1)
    mapped.click(10, 10)
    assert '(10, 10): nothing' in mapped.status
    assert mapped.w.here['cosmic_ray'].get_text() == 'nan'


def test_saving(mapped: Any, image: Path, tmp_path: Path) -> None:
    """PROB and MASK; a file that is there is replaced at the second time."""
    assert mapped.w.path.get_text().endswith('m1_segment.fits')
    path = tmp_path / 'map.fits'
    mapped.w.path.set_text(str(path))
    mapped.press(mapped.w.save)
    mapped.done('save')
    assert 'PROB and MASK of 15 classes' in mapped.status
    found = read_contaminants(path)
    assert found.where('cosmic_ray')[40, 50]
    mapped.press(mapped.w.save)
    assert 'exists: press Save again' in mapped.status
    mapped.press(mapped.w.save)
    mapped.done('save')
    assert 'PROB and MASK' in mapped.status
    mapped.w.path.set_text(str(image))
    mapped.press(mapped.w.save)
    assert 'is the image itself' in mapped.status


def test_what_cannot_be_mapped(viewer: Any, tmp_path: Path, image: Path) -> None:
    """No image, a model of another task: the status says it, nothing is logged."""
    plugin = viewer.start_masks()
    assert 'no image' in plugin.status
    plugin.press(plugin.w.start)
    assert 'no image' in plugin.status
    plugin.press(plugin.w.save)
    assert 'nothing to save: press Map first' in plugin.status
    viewer.open(f'{image}[SCI,1]')
    assert 'm1.fits: press Map' in plugin.status
    plugin.choose(plugin.w.model, 'source')
    plugin.press(plugin.desk.work.start)
    plugin.done('map')
    assert "is for task 'source'" in plugin.status
    assert plugin.desk.mapped is None


def test_images_come_and_go(mapped: Any, viewer: Any, image: Path) -> None:
    """Each image has its own map, until it or the plugin is closed."""
    other = image.with_name('m2.fits')
    fits.PrimaryHDU(np.zeros((40, 50), np.float32)).writeto(other)
    viewer.open(other)
    assert 'm2.fits: press Map' in mapped.status
    assert mapped.desk.mapped is None
    viewer.open(f'{image}[SCI,1]')
    assert mapped.desk.mapped is not None
    assert '% object' in mapped.status
    mapped.it.help()
    mapped.close()
    assert mapped.desk is None
    assert not mapped.view.get_canvas().has_tag(mapped.it.layertag)
    assert viewer.start_masks().desk.mapped is None
