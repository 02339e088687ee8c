"""What the plugin knows of detections, and its small picture; no viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('ginga')

from astrosieve.exceptions import CatalogError
from astrosieve.source.explain import Explanation, View
from astrosieve.source.exposures import ClassifyOptions
from astrosieve.source.labels import make_labels
from astrosieve.tables.catalogs import read_catalog, write_catalog
from astrosieve_plugins.ginga_classify.classify import Result
from astrosieve_plugins.ginga_classify.picture import (
    explanation_picture,
    message_picture,
)
from astrosieve_plugins.ginga_classify.review import Review, Reviews


@pytest.fixture
def review() -> Review:
    table = Table(
        {
            'id': [1, 2, 3, 4, 5],
            'x_centroid': [10.0, 20.0, 30.0, 40.0, np.nan],
            'y_centroid': [5.0, 5.0, 50.0, 50.0, 1.0],
            'class_name': ['star', 'cosmic_ray', 'star', 'unscored', 'cosmic_ray'],
            'p_star': np.float32([0.9, 0.2, 0.6, np.nan, 0.4]),
            'p_cosmic_ray': np.float32([0.1, 0.8, 0.4, np.nan, 0.6]),
        }
    )
    return Review(table, 'a_flc.fits', 1)


def test_filters(review: Review) -> None:
    """Ticks and thresholds; a row without a position is never shown."""
    assert review.shown.tolist() == [True, True, True, True, False]
    assert review.counts()['star'] == (2, 2)
    assert review.counts()['cosmic_ray'] == (1, 2)
    review.thresholds['star'] = 0.7
    review.update()
    assert review.shown.tolist() == [True, True, False, True, False]
    review.ticked['unscored'] = False
    review.update()
    assert np.flatnonzero(review.shown).tolist() == [0, 1]


def test_a_label_needs_no_probability(review: Review) -> None:
    """A label is shown whatever the slider says, and not where its class is hidden."""
    review.assign(np.array([3]), 'star')
    review.thresholds['star'] = 0.95
    review.update()
    assert np.flatnonzero(review.shown).tolist() == [1, 3]
    review.ticked['star'] = False
    review.update()
    assert np.flatnonzero(review.shown).tolist() == [1]


def test_orders(review: Review) -> None:
    """By id, by certainty either way, by class."""
    assert review.order('id').tolist() == [0, 1, 2, 3]
    assert review.order('doubtful first').tolist() == [3, 2, 1, 0]
    assert review.order('certain first').tolist() == [0, 1, 2, 3]
    assert review.order('class').tolist() == [0, 2, 1, 3]


def test_picking(review: Review) -> None:
    """The nearest row shown within reach; the rows in a box, however it is drawn."""
    assert review.nearest(11, 5, 3) == 0
    assert review.nearest(15, 30, 3) is None
    assert review.in_box(45, 60, 25, 40).tolist() == [2, 3]
    review.ticked['star'] = False
    review.update()
    assert review.nearest(11, 5, 3) is None
    assert review.in_box(0, 0, 100, 100).tolist() == [1, 3]


def test_undo_and_redo(review: Review) -> None:
    """Steps go back and forth in order; a new step ends what could be redone."""
    before = review.codes.copy()
    review.assign(np.array([0, 1]), 'spike')
    review.assign(np.array([1]), 'star')
    review.clear(np.array([0]))
    assert [review.name(i) for i in (0, 1)] == ['star', 'star']
    assert review.undo() is not None
    assert review.undo() is not None
    assert [review.name(i) for i in (0, 1)] == ['spike', 'spike']
    assert review.redo() is not None
    assert review.name(1) == 'star'
    review.assign(np.array([2]), 'extended')
    assert review.redo() is None
    while review.undo() is not None:
        pass
    assert np.array_equal(review.codes, before)
    assert not review.labelled.any()
    review.clear(np.array([2]))
    assert review.undo() is None, 'nothing was changed'


@pytest.mark.parametrize('suffix', ['ecsv', 'fits'])
def test_corrected_catalogue(review: Review, tmp_path: Path, suffix: str) -> None:
    """Its classes are the labels; read again the network's own class is known."""
    assert 'label' not in review.corrected().colnames
    review.assign(np.array([1, 3]), 'bad_pixel')
    path = tmp_path / f'a.{suffix}'
    write_catalog(review.corrected(), path)
    again = Review(read_catalog(path), 'a_flc.fits', 1)
    assert [again.name(i) for i in range(5)] == [review.name(i) for i in range(5)]
    assert np.flatnonzero(again.labelled).tolist() == [1, 3]
    assert again.classes[again.predicted[1]] == 'cosmic_ray'
    again.clear(np.array([1, 3]))
    assert 'label' not in again.corrected().colnames
    review.ticked['star'] = False
    review.update()
    assert review.corrected(shown_only=True)['id'].tolist() == [2, 4]


def test_labels_out_and_in(review: Review) -> None:
    """Labels given go to a table; a table's labels go to their detections."""
    review.assign(np.array([0]), 'star')
    table = review.labels()
    assert table['label'].tolist() == ['star']
    assert review.unsaved
    review.mark_saved()
    assert not review.unsaved
    other = make_labels('a_flc.fits', 1, [(20.2, 5.1), (90, 90)], ['spike', 'star'])
    assert review.apply_labels(other) == 1
    assert review.name(1) == 'spike'
    assert review.undo() is not None
    with pytest.raises(CatalogError, match='class galaxy'):
        review.apply_labels(make_labels('a_flc.fits', 1, [(10, 5)], ['galaxy']))


def test_other_people_s_classes() -> None:
    """Classes that we do not know are shown and can be given."""
    table = Table({'id': [1], 'x_centroid': [1.0], 'y_centroid': [1.0]})
    with pytest.raises(CatalogError, match='no column class_name'):
        Review(table, 'a.fits', 1)
    table['class_name'] = ['quasar']
    review = Review(table, 'a.fits', 1)
    assert 'quasar' in review.classes
    assert review.probabilities(0) == {}
    review.assign(np.array([0]), 'star')
    review.undo()
    assert review.name(0) == 'quasar'
    assert len(Review(table[:0], 'a.fits', 1)) == 0


@pytest.mark.parametrize('scales', [(1,), (1, 3, 9)])
def test_picture_of_an_explanation(scales: tuple[int, ...]) -> None:
    """Cutouts, saliency in red and blue, and bars as long as the probabilities."""
    rng = np.random.default_rng(3)
    views = tuple(
        View(scale, rng.normal(size=(11, 11)), rng.normal(size=(11, 11)))
        for scale in scales
    )
    p = {'star': 0.75, 'spike': 0.25, 'background': 0.0}
    explanation = Explanation((3.0, 4.0), 'star', p, (), views)
    image = np.array(explanation_picture(explanation, p, title='7', width=400))
    assert image.shape[1] == 400
    red, blue = (image[..., i].astype(int) - image[..., 2 - i] > 60 for i in (0, 2))
    assert red.sum() > 500
    assert blue.sum() > 500
    star = np.abs(image.astype(int) - (0x56, 0xB4, 0xE9)).max(axis=-1) < 4
    columns = np.flatnonzero(star.any(axis=0))
    spike = np.abs(image.astype(int) - (0xF0, 0xE4, 0x42)).max(axis=-1) < 4
    short = np.flatnonzero(spike.any(axis=0))
    assert np.ptp(columns) == pytest.approx(3 * np.ptp(short), rel=0.1)
    flat = Explanation((3.0, 4.0), 'star', p, (), (View(1, *np.zeros((2, 11, 11))),))
    assert np.array(explanation_picture(flat, p)).std() > 0


def test_messages_are_wrapped() -> None:
    """A long text fits the width."""
    image = np.array(message_picture('word ' * 30, width=200, height=200))
    lit = (image.max(axis=2) > 100).any(axis=0)
    assert lit.any()
    assert not lit[-4:].any()


@pytest.mark.parametrize(
    ('name', 'left'), [('a_flc[SCI,1]', ['[SCI,2]']), ('a_flc', []), ('b', [])]
)
def test_labels_outlive_their_image(review: Review, name: str, left: list[str]) -> None:
    """A chip, or a file with all its chips, is forgotten; unsaved labels are not."""
    reviews = Reviews()
    keys = [('/x/a_flc.fits', f'[SCI,{number}]', ()) for number in (1, 2)]
    results = [
        Result(key, review.table, ClassifyOptions(), None, number)
        for number, key in enumerate(keys, start=1)
    ]
    first, second = map(reviews.take, results)
    first.assign(np.array([0]), 'spike')
    reviews.forget(name, '/x/a_flc.fits' if name != 'b' else '/x/b.fits')
    if name == 'b':
        assert reviews.get(keys[0]) == (results[0], first)
        reviews.clear()
    assert [key[1] for key in keys if reviews.get(key)] == left
    again = reviews.take(results[0])
    assert again is not first
    assert again.name(0) == 'spike'
    assert not second.labelled.any()
