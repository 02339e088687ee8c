"""The second generator: apart from the first, and true of what it draws."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('scipy')

from astrosieve.contaminant.classes import CLASSES
from astrosieve_training.contaminant import second
from astrosieve_training.contaminant.second import (
    INSTRUMENTS,
    SecondImage,
    detector,
    second_image,
)
from astrosieve_training.contaminant.second.images import make_image
from astrosieve_training.contaminant.second.instruments import Scene
from astrosieve_training.contaminant.second.sampling import (
    OVERSAMPLING,
    SIDE,
    cutout,
)
from astrosieve_training.contaminant.second.table import TABLE

ENOUGH_SKY = 100  # electrons: where pixels and columns that see less stand out
SCENES = [(name, (index + 1) % 2) for index, name in enumerate(INSTRUMENTS)]
OTHERS = [(name, 1 - number) for name, number in SCENES]
each_image = pytest.mark.parametrize(
    ('name', 'number'),
    [*SCENES, *(pytest.param(*each, marks=pytest.mark.slow) for each in OTHERS)],
)


@cache
def made(name: str, number: int) -> SecondImage:
    """Return an image, made once for all tests."""
    return second_image(5, name, number)


def plane(image: SecondImage, name: str) -> np.ndarray:
    """Return the truth of a class."""
    return np.asarray(image.truth[CLASSES.names.index(name)])


def per_electron(image: SecondImage) -> float:
    """Return the numbers of an electron in an image's unit."""
    unit, meta = image.meta['unit'], image.meta
    amount = 1 / meta['gain'] if unit.startswith('DN') else 1.0
    return amount / (meta['exptime'] if unit.endswith('/s') else 1.0)


def promised(name: str, scene: Scene) -> set[str]:
    """Return the classes that an exposure has whatever chance does."""
    bright = scene.sky > ENOUGH_SKY
    has = {
        'cosmic_ray': scene.hits,
        'hot_pixel': scene.hot,
        'bad_pixel': scene.bad and bright,
        'bad_row': scene.bad_rows,
        'persistence': scene.persistence,
        'satellite_trail': scene.trails,
        'fringe': scene.fringes,
        'saturation': max(scene.bright) > 2,
        'bleed': max(scene.bright) > 2 and TABLE[name].chip.bleeds,
        'spike': scene.spikes,
        'nebulosity': scene.nebulae,
        'object': True,
        'reflection': scene.reflections,
        'hot_column': scene.hot_columns,
        'bad_column': scene.bad_columns and bright,
    }
    return {each for each, there in has.items() if there}


@each_image
def test_images_are_whole(name: str, number: int) -> None:
    """Shapes agree, all pixels have a value, and the meta data say what they are."""
    image, scene = made(name, number), TABLE[name].scenes[number]
    assert image.sci.dtype == np.float32
    assert image.sci.shape == image.ignore.shape == scene.shape
    assert image.truth.shape == (len(CLASSES.names), *scene.shape)
    assert image.truth.dtype == image.ignore.dtype == bool
    assert np.isfinite(image.sci).all()
    assert image.meta['instrument'] == name
    assert image.meta['unit'] == scene.unit
    assert image.meta['pedestal'] == scene.pedestal
    assert image.meta['noise'] > image.meta['read_noise']
    there = [each for each in CLASSES.names if plane(image, each).any()]
    assert image.meta['classes'] == there
    if scene.unit == 'DN':
        np.testing.assert_array_equal(image.sci, np.rint(image.sci))


@each_image
def test_no_pixel_is_both_true_and_to_be_ignored(name: str, number: int) -> None:
    """Fringes apart, which lie under everything; and few are to be ignored."""
    image = made(name, number)
    others = [each for each in CLASSES.names if each != 'fringe']
    told = np.any([plane(image, each) for each in others], axis=0)
    assert not (told & image.ignore).any()
    assert 0 < image.ignore.mean() < 0.02


@each_image
def test_light_and_particles_fall_where_pixels_see(name: str, number: int) -> None:
    """Nothing is true in the overscan, and nothing covers all of an image."""
    image = made(name, number)
    blind = image.sci.shape[1] - image.meta['overscan']
    others = [each for each in CLASSES.names if each != 'bad_row']
    assert not any(plane(image, each)[:, blind:].any() for each in others)
    shares = {each: plane(image, each).mean() for each in others}
    assert max(shares[each] for each in others if each != 'fringe') < 0.9
    assert shares['object'] < 0.6


@each_image
def test_background_lies_on_the_pedestal(name: str, number: int) -> None:
    """Pixels of nothing show the sky, as far as shadows and amplifiers let them."""
    image = made(name, number)
    others = [k for k, each in enumerate(CLASSES.names) if each != 'fringe']
    empty = ~image.truth[others].any(axis=0) & ~image.ignore
    empty[:, image.sci.shape[1] - image.meta['overscan'] :] = False
    level = np.median(image.sci[empty]) - image.meta['pedestal']
    electrons, sky = level / per_electron(image), image.meta['sky']
    assert abs(electrons - sky) < 0.85 * sky + 2 * image.meta['noise'] + 4


@each_image
def test_saturated_pixels_are_at_the_ceiling(name: str, number: int) -> None:
    """They are full or at the converter's end, and all others below."""
    image = made(name, number)
    signal = (image.sci - image.meta['pedestal']) / (
        image.meta['saturation'] - image.meta['pedestal']
    )
    full = plane(image, 'saturation')
    assert full.any()
    assert signal[full].min() > 0.92
    assert signal[~full].max() < 1.02


@each_image
def test_classes_that_are_promised_are_there(name: str, number: int) -> None:
    """And none that the scene or the instrument does not have."""
    scene, there = TABLE[name].scenes[number], set(made(name, number).meta['classes'])
    assert promised(name, scene) <= there
    if not TABLE[name].chip.bleeds:
        assert 'bleed' not in there
    for each, given in (
        ('fringe', scene.fringes),
        ('satellite_trail', scene.trails),
        ('persistence', scene.persistence),
        ('nebulosity', scene.nebulae),
        ('reflection', scene.reflections),
        ('bad_row', scene.bad_rows),
    ):
        assert given or each not in there


def test_all_classes_are_promised_by_several_instruments() -> None:
    """A network is judged in each class on images of more than one camera."""
    for each in CLASSES.names:
        cameras = [
            name
            for name, instrument in TABLE.items()
            if any(each in promised(name, scene) for scene in instrument.scenes)
        ]
        assert len(cameras) >= 3, each


def test_arguments_decide_an_image() -> None:
    """The same image for the same arguments, another for others."""
    first, again = made('guider', 0), second_image(5, 'guider', 0)
    np.testing.assert_array_equal(first.sci, again.sci)
    np.testing.assert_array_equal(first.truth, again.truth)
    np.testing.assert_array_equal(first.ignore, again.ignore)
    assert first.meta == again.meta
    for other in (second_image(6, 'guider', 0), second_image(5, 'guider', 2)):
        assert other.sci.shape == first.sci.shape
        assert not np.array_equal(other.sci, first.sci)


def test_unknown_instruments_are_refused() -> None:
    """The message tells those that there are."""
    with pytest.raises(ValueError, match=r"must be one of .*'wfpc2'.*; got 'acs'"):
        second_image(1, 'acs')


@pytest.mark.parametrize(('name', 'number'), [('guider', 0), ('near-ir', 1)])
def test_particles_brighten_their_pixels(name: str, number: int) -> None:
    """By three times the read noise at least; the rest of the image stays."""
    instrument = TABLE[name]
    scene = replace(instrument.scenes[number], hits=60, shape=(192, 224))
    with_hits, without = (
        make_image(name, instrument, each, (2, 3))
        for each in (scene, replace(scene, hits=0))
    )
    added = (with_hits.sci - without.sci) * with_hits.meta['gain']
    full = plane(with_hits, 'saturation') | plane(with_hits, 'bleed')
    hit = plane(with_hits, 'cosmic_ray') & ~full
    rounding = 2 * with_hits.meta['gain']
    assert hit.sum() > 30
    assert added[hit].min() > 3 * with_hits.meta['read_noise'] - rounding
    assert not plane(without, 'cosmic_ray').any()
    assert (added == 0).mean() > 0.9
    for each in ('object', 'bad_pixel', 'satellite_trail', 'hot_column'):
        here = ~full
        np.testing.assert_array_equal(
            plane(with_hits, each)[here], plane(without, each)[here]
        )


def test_overscan_shows_pedestal_and_read_noise() -> None:
    """No light arrives there."""
    image = made('decam', 0)
    dark = image.sci[:, -image.meta['overscan'] :]
    gain, noise = image.meta['gain'], image.meta['read_noise']
    assert (
        abs(np.median(dark) - image.meta['pedestal']) * gain < 4 * image.meta['noise']
    )
    spread = 1.4826 * np.median(np.abs(dark - np.median(dark))) * gain
    assert 0.8 * noise < spread < 1.5 * noise


def test_cutouts_have_all_light_where_the_star_is() -> None:
    """The centroid is within half of a sample, whatever the fraction of a pixel."""
    point = np.zeros((SIDE, SIDE), np.float32)
    point[SIDE // 2, SIDE // 2] = 1
    shifts = []
    for x in np.linspace(9.5, 10.5, 41):
        taken = cutout(point, float(x), 10.0, 4, (21, 21))
        assert taken is not None
        pixels, where = taken
        assert pixels.sum() == 1
        shifts.append((pixels.sum(0) * np.arange(21)[where[1]]).sum() - x)
    assert max(map(abs, shifts)) < 0.5 + 1 / OVERSAMPLING
    assert abs(np.mean(shifts)) < 0.05
    assert cutout(point, -20.0, 10.0, 4, (21, 21)) is None


def test_bleeds_keep_the_charge() -> None:
    """It runs along the column only, and no pixel holds more than its well."""
    charge = np.full((200, 9), 10.0)
    charge[95:99, 4] = 20000
    settled, bled = detector.bleed(np.random.default_rng(1), charge, 5000)
    assert settled.max() <= 5000
    assert settled.sum() == pytest.approx(charge.sum())
    assert (bled[:, 4] > 0).sum() > 8
    assert not np.delete(bled, 4, axis=1).any()
    np.testing.assert_array_equal(charge[95:99, 4], 20000)


def test_charge_that_lags_follows_its_packet() -> None:
    """None is lost but at the end, none comes before, more lags from far away."""
    charge = np.zeros((120, 2))
    charge[60, 0] = charge[20, 1] = 1000
    late = detector.trailed(charge, 0.06)
    assert late.sum() == pytest.approx(2000)
    assert not late[:20].any()
    assert not late[:60, 0].any()
    assert (late[61:86, 0] > 0).all()
    assert late[60, 0] < late[20, 1] < 1000


def test_neighbours_read_a_share() -> None:
    """Coupling keeps the charge, each of four neighbours reads the share, once."""
    charge = np.zeros((9, 9))
    charge[4, 4] = 1000
    read = detector.coupled(charge, 0.02)
    assert read.sum() == pytest.approx(1000)
    assert read[3, 4] == read[4, 5] == pytest.approx(20)


def test_shares_no_code_with_the_first_generator() -> None:
    """It imports numpy, scipy, the classes and itself, and nothing else of ours."""
    folder = Path(str(second.__file__)).parent
    own, classes = 'astrosieve_training.contaminant.second', 'astrosieve.contaminant'
    modules = sorted(folder.glob('*.py'))
    assert len(modules) > 6
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, module.name
                names = [str(node.module)]
            else:
                continue
            for name in names:
                top = name.partition('.')[0]
                outside = top in {'numpy', 'scipy', *sys.stdlib_module_names}
                inside = f'{name}.'.startswith(f'{own}.')
                assert outside or inside or name == f'{classes}.classes', module.name
