"""The plugin of ginga, driven in the reference viewer through its buttons."""

from __future__ import annotations

import gc
import shutil
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

pytest.importorskip('ginga')
pytest.importorskip('PySide6')
pytestmark = [
    pytest.mark.filterwarnings('ignore::DeprecationWarning'),
    pytest.mark.filterwarnings('ignore::ResourceWarning'),
    pytest.mark.filterwarnings('ignore::RuntimeWarning:ginga'),
]

from ginga.AstroImage import AstroImage  # noqa: E402
from ginga.RGBImage import RGBImage  # noqa: E402

from astrosieve.source.classes import CLASSES  # noqa: E402
from astrosieve.source.demo import demo_exposure  # noqa: E402
from astrosieve.source.labels import read_labels  # noqa: E402
from astrosieve.tables.catalogs import read_catalog  # noqa: E402
from astrosieve.tables.coordinate_files import read_coordinates  # noqa: E402
from astrosieve_plugins.ginga_classify import classify, plugin_spec, work  # noqa: E402


@pytest.fixture
def flc(tmp_path: Path, star_field: Any) -> Path:
    """FLC-like file of two chips, the second the first turned by 180 degrees."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(INSTRUME='WFC3', DETECTOR='UVIS', EXPTIME=1230.0)
    for number, step in ((1, 1), (2, -1)):
        sci = (star_field.data[::step, ::step] + 30).astype(np.float32)
        for name, array in (('SCI', sci), ('DQ', np.zeros(sci.shape, np.int16))):
            hdu = fits.ImageHDU(array, name=name, ver=number)
            if name == 'SCI':
                hdu.header['BUNIT'] = 'ELECTRONS'
                hdu.header.update(_sky(sci.shape, number))
            hdus.append(hdu)
    path = tmp_path / 'j1_flc.fits'
    hdus.writeto(path)
    return path


def _sky(shape: tuple[int, ...], number: int) -> dict[str, Any]:
    return {
        'CTYPE1': 'RA---TAN',
        'CTYPE2': 'DEC--TAN',
        'CRPIX1': shape[1] / 2,
        'CRPIX2': shape[0] / 2,
        'CRVAL1': 201.7,
        'CRVAL2': -47.5 + 0.02 * number,
        'CDELT1': -0.04 / 3600,
        'CDELT2': 0.04 / 3600,
    }


@pytest.fixture
def classified(viewer: Any, flc: Path) -> Any:
    """The plugin with the first chip classified."""
    viewer.open(f'{flc}[SCI,1]')
    plugin = viewer.start()
    plugin.classify()
    assert plugin.review is not None, plugin.status
    return plugin


def counted(plugin: Any) -> dict[str, int]:
    """Return the counts of the legend, of all detections."""
    texts = {name: label.get_text() for name, label in plugin.w.count.items()}
    return {name: int(t.split('/')[1]) for name, t in texts.items() if '/' in t}


def table_ids(plugin: Any) -> list[str]:
    """Return the ids that the table lists."""
    tree = plugin.w.table.get_widget()
    return [tree.topLevelItem(i).text(0) for i in range(tree.topLevelItemCount())]


def selected_ids(plugin: Any) -> list[str]:
    """Return the ids that are selected in the table."""
    return sorted(item.text(0) for item in plugin.w.table.get_widget().selectedItems())


def picture(plugin: Any) -> bytes:
    """Return what the panel shows."""
    return bytes(plugin.w.picture.get_widget().pixmap().toImage().constBits())


def window(plugin: Any) -> np.ndarray:
    """Return the pixels of the channel's window."""
    return np.array(plugin.view.renderer.get_surface_as_array(order='RGB'))


def hue(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


def has_color(pixels: np.ndarray, color: str) -> bool:
    return bool((np.abs(pixels.astype(int) - hue(color)).max(axis=-1) < 12).any())


def test_ginga_finds_and_loads_the_plugin(viewer: Any) -> None:
    """Ginga only logs a failure: it is registered, loaded, and in the menu."""
    (entry,) = entry_points(group='ginga.rv.plugins', name='ClassifySources')
    assert entry.load() is plugin_spec
    opmon = viewer.channel('Image').opmon
    assert opmon.has_plugin('ClassifySources')
    found = type(opmon.get_plugin('ClassifySources'))
    assert found.__module__ == 'astrosieve_plugins.ginga_classify.plugin'
    assert 'ClassifySources' in [s.get('name') for s in viewer.fv.get_plugins()]


def test_real_frame_from_classify_to_files(
    viewer: Any, data_dir: Path, tmp_path: Path
) -> None:
    """On a WFC3 frame: markers, counts, table, panel, labels and files agree."""
    frame = data_dir / 'hst' / 'wfc3uvis_pluto1_f606w_flt.fits'
    if not frame.is_file():
        pytest.skip(f'{frame.name} is not there')
    viewer.open(f'{frame}[SCI,1]')
    plugin = viewer.start()
    assert 'press Classify' in plugin.status
    plugin.choose(plugin.w.model, 'source')
    before = window(plugin)
    plugin.classify()

    review = plugin.review
    total = len(review)
    assert total > 300
    assert plugin.shown == total == sum(counted(plugin).values())
    names = Counter(np.asarray(review.table['class_name'], dtype=str).tolist())
    assert counted(plugin) == dict(names)
    assert names.most_common(1)[0][0] == 'cosmic_ray'
    assert f'{total} detections' in plugin.status
    assert len(table_ids(plugin)) == min(total, 500)
    assert not np.array_equal(window(plugin), before)
    assert len(plugin.view.get_canvas().get_object_by_tag(plugin.it.layertag)) == 1

    row = int(np.flatnonzero(review.predicted == review.predicted.min())[0])
    blank = picture(plugin)
    plugin.view.scale_to(3, 3)
    plugin.view.panset_xy(*review.xy[row])
    viewer.rest(0.1)
    plugin.click(*review.xy[row])
    plugin.done('explain')
    assert review.selected.tolist() == [row]
    assert selected_ids(plugin) == [str(review.table['id'][row])]
    assert picture(plugin) != blank

    plugin.press(plugin.w.assign['extended'])
    assert review.name(row) == 'extended'
    target = {
        'Catalogue (ECSV)': tmp_path / 'a.ecsv',
        'Catalogue (FITS)': tmp_path / 'a.fits',
        'Regions (DS9)': tmp_path / 'a.reg',
        'TweakReg catalogue': tmp_path / 'a.coo',
        'Labels': tmp_path / 'a_labels.ecsv',
    }
    for kind, path in target.items():
        assert str(path) in plugin.save(kind, path)
    for suffix in ('.ecsv', '.fits'):
        table = read_catalog(tmp_path / f'a{suffix}')
        assert len(table) == total
        assert table['class_name'][row] == 'extended'
        assert table['label'][row] == 'extended'
        assert (np.asarray(table['label'], dtype=str) != '-').sum() == 1
    stars = np.asarray(read_catalog(tmp_path / 'a.ecsv')['class_name']) == 'star'
    assert len(read_coordinates(tmp_path / 'a.coo')) == stars.sum()
    regions = (tmp_path / 'a.reg').read_text()
    assert regions.count('point(') == total
    labels = read_labels(tmp_path / 'a_labels.ecsv')
    assert labels['exposure'].tolist() == [frame.name]
    assert labels['label'].tolist() == ['extended']
    assert labels['x_centroid'][0] == pytest.approx(review.xy[row, 0], abs=1e-3)


def test_work_runs_off_the_gui_thread(
    viewer: Any, flc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it classifies the view is alive; Cancel frees it and drops the result."""
    started, go_on = threading.Event(), threading.Event()
    threads = []
    whole = classify.classify_chip

    def slow(chip: Any, options: Any, **watch: Any) -> Table:
        threads.append(threading.get_ident())
        started.set()
        go_on.wait(30)
        return whole(chip, options, **watch)

    monkeypatch.setattr(classify, 'classify_chip', slow)
    viewer.open(f'{flc}[SCI,1]')
    plugin = viewer.start()
    plugin.press(plugin.w.start)
    viewer.wait(started.is_set)
    viewer.rest(0.1)
    assert threads[0] != threading.get_ident()
    assert not plugin.w.start.get_enabled()
    assert 'detecting' in plugin.status
    assert plugin.w.progress.get_widget().value() > 0
    plugin.view.panset_xy(20, 20)
    viewer.rest(0.1)
    assert plugin.view.get_pan()[:2] == pytest.approx((20, 20))

    plugin.press(plugin.w.cancel)
    assert plugin.status == 'cancelled'
    assert plugin.w.start.get_enabled()
    go_on.set()
    viewer.wait(lambda: not work._ONE_AT_A_TIME.locked())
    viewer.rest(0.2)
    assert plugin.review is None
    assert plugin.shown == 0

    monkeypatch.setattr(classify, 'classify_chip', whole)
    plugin.classify()
    assert plugin.shown > 20


def test_ticks_and_sliders_filter_at_once(classified: Any) -> None:
    """A tick box hides a class, a slider its improbable detections."""
    plugin, review = classified, classified.review
    counts = counted(plugin)
    tick = plugin.w.tick['star'].get_widget()
    tick.click()
    classified.viewer.rest(0.3)
    assert plugin.shown == len(review) - counts['star']
    assert plugin.w.count['star'].get_text() == f'0/{counts["star"]}'
    assert len(table_ids(plugin)) == plugin.shown
    tick.click()

    p = np.sort(review.p[review.predicted == review.classes.index('cosmic_ray')])
    cut = int(np.ceil(100 * float(np.median(p))))
    plugin.w.slider['cosmic_ray'].get_widget().setValue(cut)
    kept = int((p >= cut / 100).sum())
    assert plugin.w.count['cosmic_ray'].get_text() == f'{kept}/{len(p)}'
    assert plugin.shown == len(review) - len(p) + kept
    assert plugin.w.least['cosmic_ray'].get_text() == f'{cut / 100:.2f}'
    plugin.w.show.get_widget().click()
    classified.viewer.rest(0.1)
    assert plugin.shown == 0


def test_both_colour_conventions(classified: Any) -> None:
    """The report's colours are a choice; markers and legend change together."""
    plugin = classified
    assert plugin.w.colours.get_text() == 'colour-blind'
    assert not has_color(window(plugin), CLASSES.marker('star').color)
    plugin.choose(plugin.w.colours, 'report')
    pixels = window(plugin)
    for name in ('star', 'cosmic_ray'):
        assert has_color(pixels, CLASSES.marker(name).color), name
    style = plugin.w.glyph['star'].get_widget().styleSheet()
    assert CLASSES.marker('star').color in style.lower()


def test_a_row_pans_and_a_marker_selects(classified: Any) -> None:
    """Selection runs both ways; the right button adds; escape ends it."""
    plugin, review = classified, classified.review
    tree = plugin.w.table.get_widget()
    tree.topLevelItem(3).setSelected(True)
    classified.viewer.rest(0.1)
    assert review.selected.tolist() == [3]
    assert plugin.view.get_pan()[:2] == pytest.approx(tuple(review.xy[3]), abs=0.01)
    assert plugin.desk.layer.markers.selected.tolist() == [3]

    plugin.view.zoom_fit()
    rows = _apart(review.xy)[:2]
    plugin.click(*review.xy[rows[0]])
    plugin.click(*review.xy[rows[1]], right=True)
    assert review.selected.tolist() == sorted(rows)
    ids = sorted(str(review.table['id'][row]) for row in rows)
    assert selected_ids(plugin) == ids
    plugin.done('explain')
    plugin.key('escape')
    assert len(review.selected) == 0
    assert selected_ids(plugin) == []


def _apart(xy: np.ndarray) -> list[int]:
    """Return rows that have no neighbour within 8 pixels."""
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    return np.flatnonzero((distance < 8).sum(axis=1) == 1).tolist()


def test_rectangle_keys_undo_and_redo(classified: Any) -> None:
    """A rectangle selects what it holds; a key labels it; undo and redo."""
    plugin, review = classified, classified.review
    plugin.view.zoom_fit()
    classified.viewer.rest(0.1)
    x, y = review.xy.T
    inside = np.flatnonzero((x > 10) & (x < 60) & (y > 10) & (y < 60))
    assert len(inside) > 3
    plugin.drag((10, 10), (60, 60))
    assert review.selected.tolist() == inside.tolist()
    before = review.codes.copy()
    plugin.key('5')
    assert {review.name(row) for row in inside} == {'bad_pixel'}
    assert f'{len(inside)} labelled bad_pixel' in plugin.status
    assert plugin.desk.layer.markers.labelled.sum() == len(inside)
    assert counted(plugin)['bad_pixel'] == len(inside)
    plugin.press(plugin.w.undo)
    assert np.array_equal(review.codes, before)
    plugin.press(plugin.w.redo)
    assert {review.name(row) for row in inside} == {'bad_pixel'}
    plugin.key('u')
    assert np.array_equal(review.codes, before)
    plugin.key('U')
    plugin.key('0')
    assert not review.labelled.any()
    plugin.key('escape')
    scale = plugin.view.get_scale_max()
    plugin.key('2')
    assert plugin.view.get_scale_max() != scale, 'without selection 2 must zoom'
    assert not review.labelled.any()


def test_pages_of_the_table(classified: Any) -> None:
    """Many rows go on pages; a marker turns the page to its row; orders differ."""
    plugin, review = classified, classified.review
    plugin.desk.table.page_rows = 10
    plugin.choose(plugin.w.order, 'doubtful first')
    order = review.order('doubtful first')
    assert table_ids(plugin) == [str(review.table['id'][row]) for row in order[:10]]
    assert np.all(np.diff(np.nan_to_num(review.p[order], nan=-1)) >= 0)
    plugin.press(plugin.w.next)
    assert table_ids(plugin)[0] == str(review.table['id'][order[10]])
    last = int(order[-1])
    plugin.select(last)
    assert selected_ids(plugin) == [str(review.table['id'][last])]
    assert not plugin.w.next.get_enabled()
    plugin.done('explain')


def test_mef_navigation(viewer: Any, flc: Path) -> None:
    """'all chips' does both; each extension shows its own; labels stay with it."""
    viewer.open(f'{flc}[SCI,1]')
    plugin = viewer.start()
    plugin.w.all_chips.get_widget().click()
    plugin.classify()
    first = plugin.review
    plugin.select(0)
    plugin.done('explain')
    plugin.press(plugin.w.assign['extended'])

    viewer.open(f'{flc}[SCI,2]')
    second = plugin.review
    assert second is not None
    assert second is not first
    assert second.extver == 2
    assert np.asarray(second.table['extver']).tolist() == [2] * len(second)
    assert plugin.shown == len(second)
    assert not second.labelled.any()

    viewer.open(f'{flc}[DQ,2]')
    assert plugin.review is None
    assert plugin.shown == 0
    assert 'press Classify' in plugin.status
    viewer.fv.switch_name('Image', 'j1_flc[SCI,1]')
    viewer.rest(0.3)
    assert plugin.review is first
    assert first.labelled.sum() == 1


def test_cube_planes(viewer: Any, star_field: Any, tmp_path: Path) -> None:
    """A plane is classified as shown, and says so; another plane is another image."""
    path = tmp_path / 'cube.fits'
    planes = np.stack([star_field.data, star_field.data[::-1]]).astype(np.float32)
    fits.PrimaryHDU(planes, fits.Header({'BUNIT': 'ELECTRONS'})).writeto(path)
    viewer.open(path)
    plugin = viewer.start()
    plugin.classify()
    assert plugin.shown > 20
    assert 'without ERR and DQ' in plugin.status
    image = plugin.view.get_image()
    image.set_naxispath([1])
    viewer.rest(0.3)
    assert plugin.shown == 0
    assert 'press Classify' in plugin.status
    plugin.classify()
    assert plugin.shown > 20
    image.set_naxispath([0])
    viewer.rest(0.3)
    assert plugin.shown > 20


def test_two_channels_at_once(viewer: Any, flc: Path, star_field: Any) -> None:
    """Each channel has its own detections, labels and settings."""
    viewer.open(f'{flc}[SCI,1]')
    viewer.open(f'{flc}[SCI,2]', channel='Other')
    one, two = viewer.start(), viewer.start('Other')
    one.press(one.w.start)
    two.press(two.w.start)
    viewer.wait(lambda: not one.busy() and not two.busy())
    viewer.rest(0.1)
    assert (one.review.extver, two.review.extver) == (1, 2)
    one.w.tick['star'].get_widget().click()
    assert one.shown < len(one.review)
    assert two.shown == len(two.review)
    two.select(1)
    two.press(two.w.assign['spike'])
    assert two.review.labelled.sum() == 1
    assert not one.review.labelled.any()
    two.close()
    assert one.desk.layer.markers is not None


def test_load_a_catalogue(classified: Any, tmp_path: Path) -> None:
    """A saved catalogue comes back with its labels; one of another image does not."""
    plugin, review = classified, classified.review
    plugin.select(2, 4)
    plugin.press(plugin.w.assign['background'])
    predicted = review.predicted.copy()
    path = tmp_path / 'saved.ecsv'
    plugin.save('Catalogue (ECSV)', path)
    plugin.select(4)
    plugin.press(plugin.w.assign['spike'])

    assert 'detections' in plugin.load(path)
    loaded = plugin.review
    assert loaded is not review
    assert np.array_equal(loaded.predicted, predicted)
    assert np.flatnonzero(loaded.labelled).tolist() == [2, 4]
    assert loaded.name(2) == 'background'

    table = Table(read_catalog(path))
    table['x_centroid'] += 100
    wrong = tmp_path / 'wrong.ecsv'
    table.write(wrong)
    said = plugin.load(wrong)
    assert 'a catalogue of another image' in said
    table = read_catalog(path)
    table['extver'] = 7
    table.write(tmp_path / 'chip.ecsv')
    assert 'no row is of extver 1' in plugin.load(tmp_path / 'chip.ecsv')
    table = read_catalog(path)
    table['y_centroid'] = (table['y_centroid'] + 40) % 120
    table.write(tmp_path / 'sky.ecsv')
    assert 'a catalogue of another image' in plugin.load(tmp_path / 'sky.ecsv')
    table.remove_column('class_name')
    table.write(tmp_path / 'bare.ecsv')
    assert 'no column class_name' in plugin.load(tmp_path / 'bare.ecsv')
    assert 'no such file' in plugin.load(tmp_path / 'nothing.ecsv')
    (tmp_path / 'text.ecsv').write_text('this is\nno table at all, "\n')
    plugin.load(tmp_path / 'text.ecsv')
    assert plugin.review is loaded


def test_labels_add_up_in_their_file(classified: Any, tmp_path: Path) -> None:
    """Labels are added to those of the file, and are read back onto detections."""
    plugin, review = classified, classified.review
    path = tmp_path / 'labels.ecsv'
    assert 'no labels' in plugin.save('Labels', path)
    plugin.select(1)
    plugin.press(plugin.w.assign['spike'])
    assert review.unsaved
    plugin.save('Labels', path)
    assert not review.unsaved
    plugin.select(1)
    plugin.press(plugin.w.unlabel)
    plugin.select(5)
    plugin.press(plugin.w.assign['star'])
    assert '1 labels' in plugin.save('Labels', path)
    assert sorted(read_labels(path)['label'].tolist()) == ['spike', 'star']
    assert '2 of 2 labels' in plugin.load(path)
    assert np.flatnonzero(review.labelled).tolist() == [1, 5]


def test_saving_asks_before_it_replaces(classified: Any, tmp_path: Path) -> None:
    """An existing file needs a second press; a folder that is not there is named."""
    plugin = classified
    path = tmp_path / 'there.reg'
    path.write_text('mine')
    assert 'press Save again' in plugin.save('Regions (DS9)', path)
    assert path.read_text() == 'mine'
    plugin.press(plugin.w.save)
    plugin.done('save')
    assert path.read_text().startswith('# Region file')
    assert 'does not exist' in plugin.save(
        'Catalogue (FITS)', tmp_path / 'nowhere' / 'a.fits'
    )
    plugin.w.only_shown.get_widget().click()
    plugin.w.tick['cosmic_ray'].get_widget().click()
    plugin.save('Catalogue (ECSV)', tmp_path / 'some.ecsv')
    assert len(read_catalog(tmp_path / 'some.ecsv')) == plugin.shown
    plugin.w.path.set_text('')
    plugin.press(plugin.w.save)
    assert plugin.status == 'name the file to save to'
    exposure = plugin.desk.target.path
    before = exposure.read_bytes()
    for kind in ('Catalogue (FITS)', 'Labels'):
        for _ in range(2):
            assert 'is the image itself' in plugin.save(kind, exposure)
    assert exposure.read_bytes() == before


def test_closing_keeps_unsaved_labels_alone(viewer: Any, flc: Path) -> None:
    """Close leaves no marker and no pixels behind; labels return on Classify."""
    viewer.open(f'{flc}[SCI,1]')
    plugin = viewer.start()
    plugin.close()
    viewer.rest(1.5)  # ginga shows the plugin's name for a second
    clean = window(plugin)
    plugin = viewer.start()
    plugin.classify()
    plugin.select(3)
    plugin.done('explain')
    plugin.press(plugin.w.assign['extended'])
    result, _ = plugin.it.reviews.get(plugin.desk.target.key)
    image = weakref.ref(result.image)
    del result
    layer = plugin.it.layertag
    plugin.close()
    assert not plugin.view.get_canvas().has_tag(layer)
    assert not plugin.channel.opmon.is_active('ClassifySources')
    viewer.rest(1.5)
    assert np.array_equal(window(plugin), clean)
    gc.collect()
    assert image() is None

    again = viewer.start()
    assert again.review is None
    again.classify()
    assert np.flatnonzero(again.review.labelled).tolist() == [3]
    assert again.review.name(3) == 'extended'


def test_closing_while_it_works(viewer: Any, flc: Path) -> None:
    """A result that arrives after Close is dropped without a word in the log."""
    viewer.open(f'{flc}[SCI,1]')
    plugin = viewer.start()
    plugin.press(plugin.w.start)
    plugin.close()
    viewer.rest(1.0)
    assert plugin.review is None
    assert plugin.desk is None


def _resident() -> float:
    """Return the memory of this process, MiB."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) / 1024
    return 0.0


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='needs /proc')
def test_ten_rounds_leak_nothing(viewer: Any, flc: Path) -> None:
    """Open, classify, explain, close: ten rounds later memory is within 10 %."""
    viewer.open(f'{flc}[SCI,1]')

    def turn() -> None:
        plugin = viewer.start()
        plugin.classify()
        plugin.select(3)
        plugin.done('explain')
        plugin.close()
        viewer.rest(0.1)
        gc.collect()

    turn()
    turn()
    widgets = len(viewer.root.findChildren(object))
    before = _resident()
    for _ in range(10):
        turn()
    grown = _resident() / before - 1
    assert grown < 0.1, f'{grown:.1%} of {before:.0f} MiB'
    assert len(viewer.root.findChildren(object)) <= widgets + 5


def test_messages_are_whole_and_in_words_of_the_panel(
    viewer: Any, star_field: Any
) -> None:
    """What is unknown is asked for by the name of its entry, in a box with room."""
    viewer.show(_image(star_field.data.astype(np.float32)))
    plugin = viewer.start()
    plugin.classify()
    *_, said = plugin.status.splitlines()
    assert "Give 'unit' in the panel" in said
    assert 'unit=' not in plugin.status
    box = plugin.w.status.get_widget()
    assert box.document().size().height() <= box.height()
    low = box.height()
    plugin.desk.say('\n'.join(f'{i} ' + 60 * 'word ' for i in range(9)))
    viewer.rest(0.1)
    assert low < box.height() < 200
    assert box.verticalScrollBar().value() == 0 < box.verticalScrollBar().maximum()
    plugin.desk.say('Give fwhm= or exptime=; origin= is another matter')
    assert plugin.status == (
        "Give 'FWHM' in the panel or 'exposure' in the panel; origin= is another matter"
    )

    plugin.choose(plugin.w.unit, 'DN')
    plugin.w.gain.set_text('1.5')
    plugin.classify()
    assert 'in the panel' not in plugin.status
    assert plugin.review.table.meta['unit'] == 'DN'
    plugin.w.gain.set_text('')
    plugin.choose(plugin.w.unit, 'DN/s')
    plugin.classify()
    assert "Give 'gain' in the panel" in plugin.status
    assert "Give 'exposure' in the panel" in plugin.status
    plugin.w.gain.set_text('-1')
    plugin.classify()
    assert plugin.status == "gain must be a positive number; got '-1'"


def test_a_click_selects_what_is_drawn(viewer: Any, star_field: Any) -> None:
    """In a crowd at full view a detection without marker is not selected."""
    image = _image(np.tile(star_field.data, (4, 4)).astype(np.float32))
    viewer.show(image)
    plugin = viewer.start()
    plugin.classify()
    plugin.view.scale_to(0.4, 0.4)
    viewer.rest(0.2)
    review, markers = plugin.review, plugin.desk.layer.markers
    drawn = markers.drawn(plugin.view)
    out = np.setdiff1d(np.arange(len(review)), drawn)
    assert plugin.shown == len(review) == sum(counted(plugin).values())
    apart = np.hypot(*(review.xy[out][:, None] - review.xy[drawn]).transpose(2, 0, 1))
    near = int(apart.min(axis=1).argmin())
    plugin.click(*review.xy[out[near]])
    assert len(review.selected) == 1
    assert review.selected[0] in drawn
    plugin.done('explain')


def test_a_compressed_image(viewer: Any, star_field: Any, tmp_path: Path) -> None:
    """The image of an fpacked file is in its first extension, whatever its name."""
    path = tmp_path / 'packed.fits'
    header = fits.Header({'BUNIT': 'ELECTRONS'})
    data = star_field.data.astype(np.float32)
    hdu = fits.CompImageHDU(data, header, quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    viewer.open(path)
    plugin = viewer.start()
    assert plugin.w.path.get_text() == 'packed_sources.ecsv'
    plugin.classify()
    assert plugin.shown > 20
    assert 'without ERR and DQ' not in plugin.status


def test_several_images_in_a_channel(
    viewer: Any, star_field: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work ends on the image it began with, which has it when it is shown again."""
    _, go_on = _slowly(monkeypatch)
    data = star_field.data.astype(np.float32)
    for name, image in (('first', data), ('second', data[::-1])):
        viewer.show(_image(image, name))
    plugin = viewer.start()
    plugin.press(plugin.w.start)
    viewer.fv.switch_name('Image', 'first')
    viewer.rest(0.2)
    go_on.set()
    viewer.wait(lambda: not plugin.busy())
    assert plugin.status == 'second is classified; go back to it to see'
    assert plugin.review is None
    viewer.fv.switch_name('Image', 'second')
    viewer.rest(0.3)
    assert plugin.shown > 20


def _slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[threading.Event, threading.Event]:
    """Make classification say that it begins, and wait before it goes on."""
    started, go_on = threading.Event(), threading.Event()
    whole = classify.classify_chip

    def slow(chip: Any, options: Any, **watch: Any) -> Table:
        started.set()
        go_on.wait(30)
        return whole(chip, options, **watch)

    monkeypatch.setattr(classify, 'classify_chip', slow)
    return started, go_on


def test_closing_the_channel_while_it_works(
    viewer: Any, star_field: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel goes with its plugin; another channel works on."""
    started, go_on = _slowly(monkeypatch)
    data = star_field.data.astype(np.float32)
    viewer.show(_image(data, 'other'), channel='Other')
    plugin = viewer.start('Other')
    plugin.press(plugin.w.start)
    viewer.wait(started.is_set)
    viewer.fv.delete_channel('Other')
    viewer.rest(0.2)
    go_on.set()
    viewer.wait(lambda: not work._ONE_AT_A_TIME.locked())
    viewer.rest(0.3)
    assert viewer.fv.get_channel_names() == ['Image']
    assert plugin.desk is None
    viewer.show(_image(data))
    plugin = viewer.start()
    plugin.classify()
    assert plugin.shown > 20


def _image(data: np.ndarray, name: str = 'made') -> AstroImage:
    image = AstroImage(data_np=data)
    image.set(name=name)
    return image


def _rgb() -> RGBImage:
    image = RGBImage(data_np=np.zeros((40, 50, 3), dtype=np.uint8))
    image.set(name='rgb')
    return image


BAD: dict[str, tuple[Callable[[], Any] | None, str]] = {
    'no image': (None, 'no image'),
    'RGB': (_rgb, 'RGB'),
    'complex': (lambda: _image(np.ones((60, 60), complex)), 'not real numbers'),
    'bool': (lambda: _image(np.ones((60, 60), bool)), 'no detections'),
    'NaN': (lambda: _image(np.full((60, 60), np.nan, np.float32)), 'no detections'),
    'constant': (lambda: _image(np.ones((60, 60), np.float32)), 'no detections'),
    'noise': (
        lambda: _image(np.random.default_rng(1).normal(size=(60, 60))),
        'no detections',
    ),
    'tiny': (lambda: _image(np.zeros((1, 1), np.float32)), 'no detections'),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_images_are_messages(
    viewer: Any, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing to classify is said in the status line; the viewer goes on."""
    monkeypatch.chdir(tmp_path)  # Save names a file in the current folder
    make, said = BAD[case]
    if make is not None:
        viewer.show(make())
    plugin = viewer.start()
    plugin.w.nsigma.set_text('8')
    plugin.classify()
    assert said in plugin.status
    assert plugin.shown == 0
    plugin.press(plugin.w.save)
    plugin.done('save')
    plugin.press(plugin.w.undo)
    assert plugin.w.start.get_enabled()


def test_the_image_goes_away(classified: Any) -> None:
    """A channel that is emptied has no markers."""
    viewer = classified.viewer
    for name in list(classified.channel.get_image_names()):
        viewer.fv.remove_image_by_name('Image', name)
    viewer.rest(0.3)
    assert classified.shown == 0
    assert 'no image' in classified.status
    classified.classify()
    assert 'no image' in classified.status


def test_a_missing_model_is_a_message(viewer: Any, flc: Path, tmp_path: Path) -> None:
    """So are an unknown model, wrong numbers, and a file that has gone."""
    viewer.open(f'{flc}[SCI,1]')
    plugin = viewer.start()
    gone = str(tmp_path / 'gone.onnx')
    plugin.w.model.append_text(gone)
    plugin.choose(plugin.w.model, gone)
    plugin.classify()
    assert 'gone.onnx' in plugin.status
    assert plugin.w.start.get_enabled()
    for entry, text in ((plugin.w.fwhm, 'wide'), (plugin.w.nsigma, '-1')):
        kept = entry.get_text()
        entry.set_text(text)
        plugin.classify()
        assert 'must be a positive number' in plugin.status
        entry.set_text(kept)
    flc.unlink()
    plugin.choose(plugin.w.model, plugin.it.settings.get('model'))
    plugin.classify()
    assert 'without ERR and DQ' in plugin.status


def test_settings(session: Any, viewer: Any, flc: Path) -> None:
    """Settings are the widgets' defaults; what is no good is named and left out."""
    plugin = viewer.start()
    settings = plugin.it.settings
    assert settings.get('finder') == 'peaks'
    plugin.close()
    settings.set(
        nsigma=7.5, hidden_classes=['spike'], thresholds={'star': 0.25}, order='certain'
    )
    plugin = viewer.start()
    assert plugin.w.nsigma.get_text() == '7.5'
    assert not plugin.w.tick['spike'].get_state()
    assert plugin.w.slider['star'].get_value() == 25
    assert 'no good' in plugin.status
    assert 'order' in plugin.status
    plugin.close()
    settings.set(nsigma=5.0, hidden_classes=[], thresholds={}, order='id')


def test_the_settings_file_is_ginga_s() -> None:
    """The example file holds each setting with its default."""
    from ginga.misc.log import get_logger
    from ginga.misc.Settings import SettingGroup

    from astrosieve_plugins.ginga_classify import settings

    path = Path(settings.__file__).with_name('plugin_ClassifySources.cfg')
    group = SettingGroup(logger=get_logger('settings', null=True), preffile=str(path))
    group.load(onError='raise')
    assert group.get_dict() == settings.Settings.defaults()


def test_help_is_the_docstring(viewer: Any) -> None:
    """The Help button shows the page, whose words are those of the widgets."""
    plugin = viewer.start()
    doc = sys.modules[type(plugin.it).__module__].__doc__
    for word in ('Classify', 'Cancel', 'doubtful', 'No label', 'TweakReg', 'Load'):
        assert word in doc
    shown = []
    plugin.it.fv.help_text, kept = (
        (lambda *a, **k: shown.append(a)),
        plugin.it.fv.help_text,
    )
    try:
        plugin.it.help()
    finally:
        plugin.it.fv.help_text = kept
    assert shown == [('ClassifySources', doc)]


def test_the_demo_exposure(viewer: Any, tmp_path: Path) -> None:
    """The bundled exposure, gzipped, opens and is classified with the real model."""
    exposure = shutil.copy(demo_exposure(), tmp_path)  # thumbnails are kept beside it
    viewer.open(f'{exposure}[SCI,1]')
    plugin = viewer.start()
    plugin.choose(plugin.w.model, 'source')
    plugin.classify()
    counts = counted(plugin)
    assert counts['star'] > 80
    assert counts['cosmic_ray'] > 100
