"""Tests of the scores of an object's stamps, combined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astrosieve.exceptions import CatalogError
from astrosieve.models.registry import Model
from astrosieve.transient.by_object import combined, read_objects
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.score import Scorer


def scored(p_real: list[float], objects: list[str], **columns: object) -> Table:
    """Return a table of candidates of which so much is real."""
    p = np.array(p_real)
    return Table(
        {
            'id': [str(k) for k in range(len(p))],
            'object': objects,
            'p_real': p,
            'p_transient': p / 2,
            'p_variable': p / 2,
            'p_dipole': (1 - p) / 4,
            'p_noise': 3 * (1 - p) / 4,
            'flags': np.zeros(len(p), int),
            **columns,
        }
    )


def test_one_stamp_keeps_its_score(model: Model) -> None:
    """Also one without an object, which is one of its own."""
    table = combined(scored([0.8, 0.1], ['a', '']), Scorer(model))
    assert list(table['object']) == ['a', '1']
    np.testing.assert_allclose(table['p_real'], [0.8, 0.1], rtol=1e-5)
    assert list(table['class_name']) == ['real', 'noise']


def test_stamps_confirm_each_other(model: Model) -> None:
    """Likely ones are likelier together, but not as if they were independent."""
    one, two, ten = (
        combined(scored([0.8] * n, ['a'] * n), Scorer(model))['p_real'][0]
        for n in (1, 2, 10)
    )
    independent = 0.8**10 / (0.8**10 + 0.2**10)
    assert one < two < ten < 0.99 < independent
    doubtful = combined(scored([0.8, 0.2], ['a', 'a']), Scorer(model))
    assert 0.3 < doubtful['p_real'][0] < 0.7


def test_one_bad_stamp_does_not_decide(model: Model) -> None:
    """Nine good ones stand against one that is surely bogus."""
    table = combined(scored([0.99] * 9 + [1e-12], ['a'] * 10), Scorer(model))
    assert table['class_name'][0] == 'real'


def test_unscored_and_duplicates_do_not_count(model: Model) -> None:
    """They are counted as stamps; an object of none but these has no score."""
    flags = [0, 0, STAMP_FLAGS.duplicate, 0]
    table = scored([0.8, np.nan, 0.8, np.nan], ['a', 'a', 'a', 'b'], flags=flags)
    table['mjd'] = [5.0, 7.0, np.nan, np.nan]
    found = combined(table, Scorer(model))
    assert list(found['n']) == [3, 1]
    assert list(found['n_scored']) == [1, 0]
    assert found['p_real'][0] == pytest.approx(0.8)
    assert np.isnan(found['p_real'][1])
    assert list(found['class_name']) == ['real', '']
    assert (found['mjd_first'][0], found['mjd_last'][0]) == (5, 7)


def test_objects_of_a_table(tmp_path: Path, model: Model) -> None:
    """Where stamps do not say their object, a table does."""
    path = tmp_path / 'objects.csv'
    path.write_text('id,rb,oid\n0,1,ZTF1\n1,1,ZTF1\n')
    known = read_objects(path)
    assert known == {'0': 'ZTF1', '1': 'ZTF1'}
    found = combined(scored([0.8, 0.8, 0.1], ['', '', '']), Scorer(model), known)
    assert list(found['object']) == ['ZTF1', '2']
    path.write_text('id,rb\n0,1\n')
    with pytest.raises(CatalogError, match='wanted are the columns id and object'):
        read_objects(path)
