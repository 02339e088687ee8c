"""Tests of scoring stamps, with a model made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from astrosieve import score_transients
from astrosieve.exceptions import ModelError
from astrosieve.models.registry import Model
from astrosieve.transient.candidates import Candidate
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.score import CHUNK, Scorer, score_table

Draw = Callable[..., np.ndarray]


def test_real_and_bogus(model: Model, stamps_of: Draw) -> None:
    """A row for each, p_real the sum of real classes, the artefact named."""
    text = 'rbbrb'
    table = score_transients(stamps_of(text), model=model)
    assert list(table['id']) == ['0', '1', '2', '3', '4']
    assert list(table['class_name']) == [
        'real' if each == 'r' else 'noise' for each in text
    ]
    np.testing.assert_allclose(
        table['p_real'], table['p_transient'] + table['p_variable'], rtol=1e-5
    )
    total = sum(table[f'p_{name}'] for name in model.card.classes)
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert table['p_real'].dtype == np.float32
    assert table.meta['model'] == 'means 1.0'
    assert table.meta['threshold'] == 0.6


def test_either_order_of_axes(model: Model, stamps_of: Draw) -> None:
    """Planes first or last, masked arrays, one candidate, integers."""
    stamps = stamps_of('rb')
    expected = list(score_transients(stamps, model=model)['p_real'])
    last = score_transients(np.moveaxis(stamps, 1, 3), model=model)
    np.testing.assert_allclose(last['p_real'], expected)
    masked = np.ma.masked_array(stamps, np.zeros(stamps.shape, bool))
    masked[0, 1, :4] = np.ma.masked
    assert list(score_transients(masked, model=model)['class_name']) == [
        'real',
        'noise',
    ]
    one = score_transients(stamps[0], model=model)
    np.testing.assert_allclose(one['p_real'], expected[:1])
    swapped = score_transients(stamps.astype('>f8'), model=model)
    np.testing.assert_allclose(swapped['p_real'], expected, rtol=1e-4)


def test_nothing_gives_an_empty_table(model: Model) -> None:
    """With all columns, of the right types."""
    table = score_transients(np.empty((0, 3, 63, 63)), model=model)
    assert len(table) == 0
    assert {'id', 'p_real', 'class_name', 'p_noise', 'flags'} < {*table.colnames}
    assert table['flags'].dtype.kind == 'i'


def test_rows_that_cannot_be_scored_keep_their_place(
    model: Model, stamps_of: Draw
) -> None:
    """NaN, no class, and a reason; a missing plane is only told."""
    stamps = stamps_of('rrrr')
    stamps[1] = np.nan
    stamps[2, :, 20:44, 20:44] = np.nan
    stamps[3, 1] = 5.0
    table = score_transients(stamps, model=model)
    assert list(table['class_name']) == ['real', '', '', 'real']
    assert list(np.isnan(table['p_real'])) == [False, True, True, False]
    assert list(np.isnan(table['p_noise'])) == [False, True, True, False]
    assert table['reason'][0] == ''
    assert table['reason'][1].startswith('blank')
    assert table['reason'][2] == 'masked; partly_masked'
    assert table['reason'][3] == 'no_template'


def test_stamps_of_different_sizes(model: Model, drawn: Draw) -> None:
    """A sequence may mix them, and what is no stamp."""
    sizes = [21, 63, 30, 101, 64]
    stamps = [drawn(n, flux=50 * (n != 30)) for n in sizes]
    stamps.insert(2, np.zeros((2, 63, 63)))
    table = score_transients(stamps, model=model, id='abcdef')
    assert list(table['id']) == list('abcdef')
    assert list(table['class_name']) == ['real', 'real', '', 'noise', 'real', 'real']
    assert 'three planes' in table['reason'][2]
    assert STAMP_FLAGS.decode(table['flags'][2]) == ['unreadable']


def test_order_and_bands(model: Model, stamps_of: Draw) -> None:
    """Another order can be told, or is noticed; bands have none."""
    stamps = stamps_of('rb')
    turned = stamps[:, [2, 0, 1]]
    told = score_transients(
        turned, bands=('difference', 'science', 'template'), model=model
    )
    assert list(told['class_name']) == ['real', 'noise']
    assert list(told['reason']) == ['', '']
    table = score_transients(turned, model=model)
    assert all('order' in reason for reason in table['reason'])
    differences = np.repeat(stamps[:, 2:], 3, axis=1)
    table = score_transients(differences, bands='gri', model=model)
    assert list(table['class_name']) == ['real', 'noise']


def test_operating_point_and_prior(model: Model, stamps_of: Draw) -> None:
    """Where real begins; a rarer class is less probable."""
    stamps = stamps_of('rb', n=31)
    table = score_transients(stamps, model=model, operating_point='pure')
    assert table.meta['threshold'] == pytest.approx(0.9999999)
    plain = score_transients(stamps, model=model)
    rare = score_transients(stamps, model=model, prior={'noise': 0.99999})
    assert (rare['p_real'] < plain['p_real']).all()
    fewer = score_transients(stamps, model=model, prior={'real': 1e-5})['p_real']
    odds = [each / (1 - each) for each in (fewer[1], plain['p_real'][1])]
    assert odds[0] / odds[1] == pytest.approx(1e-5 / 0.99999, rel=1e-3)
    with pytest.raises(ValueError, match='prior names star'):
        score_transients(stamps, model=model, prior={'star': 0.2})
    with pytest.raises(ModelError, match='no operating point'):
        score_transients(stamps, model=model, operating_point='none')


@pytest.mark.parametrize(
    ('stamps', 'error', 'message'),
    [
        ('s.npz', TypeError, 'not the name of a file'),
        (np.zeros((4, 2, 63, 63)), ValueError, 'three planes'),
        (np.zeros((63, 63)), ValueError, 'must be numbers of shape'),
    ],
)
def test_what_is_no_stamps_is_refused(
    model: Model, stamps: object, error: type[Exception], message: str
) -> None:
    """With what is wanted."""
    with pytest.raises(error, match=message):
        score_transients(stamps, model=model)
    with pytest.raises(ValueError, match='id must name each of the 1'):
        score_transients(np.zeros((1, 3, 63, 63)), id=['a', 'b'], model=model)


def test_chunks_change_nothing(model: Model, stamps_of: Draw) -> None:
    """More candidates than are held at once, of two kinds, are scored in order."""
    text = 'rbb' * 4
    stamps = stamps_of(text, n=31)
    n = CHUNK + 30
    candidates = [
        Candidate(str(k), stamps[k % 12], 'triplet' if k % 5 else 'bands', f'o{k % 3}')
        for k in range(n)
    ]
    scorer = Scorer(model)
    parts = list(scorer.chunks(candidates))
    assert [len(each.candidates) for each in parts] == [CHUNK, 30]
    table = score_table(parts, scorer)
    assert list(table['id']) == [str(k) for k in range(n)]
    triplets = [k for k in range(n) if k % 5]
    names = {'r': 'real', 'b': 'noise'}
    assert list(table['class_name'][triplets]) == [
        names[text[k % 12]] for k in triplets
    ]
    assert list(table['object'][:3]) == ['o0', 'o1', 'o2']
    assert {*table['reason'][triplets]} == {''}


def test_duplicates_are_told(model: Model, drawn: Draw) -> None:
    """The first has no flag; both have a score."""
    candidates = [
        Candidate('a', drawn()),
        Candidate('b', drawn()),
        Candidate('a', drawn()),
    ]
    scorer = Scorer(model)
    table = score_table(list(scorer.chunks(candidates)), scorer)
    assert list(table['reason']) == ['', '', 'duplicate']
    assert np.isfinite(table['p_real']).all()
