"""Objects that are seen several times."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('galsim')
pytest.importorskip('joblib')

from astrosieve.models.registry import load_model
from astrosieve_training.transient.config import FieldSet
from astrosieve_training.transient.datasets import truly_real
from astrosieve_training.transient.objects import make_detections, table_of_objects


def test_objects_are_seen_again() -> None:
    """Each has two stamps at least, which agree, about the place where it is."""
    made = make_detections(5, ('ztf',))
    names, which, n = np.unique(made.object, return_inverse=True, return_counts=True)
    assert len(names) > 5
    assert n.min() >= 2
    real = np.bincount(which, truly_real(made.label))
    assert set((real / n).tolist()) == {0.0, 1.0}
    assert 'moving' not in made.label
    assert made.stamps.shape[1:] == (3, 63, 63)
    again = make_detections(5, ('ztf',))
    np.testing.assert_array_equal(made.stamps, again.stamps)


def test_objects_share_their_template() -> None:
    """Two templates of one object are the same but for their sky; sciences are not."""
    made = make_detections(6, ('sdss',))
    names, n = np.unique(made.object, return_counts=True)
    one, other = made.stamps[np.flatnonzero(made.object == names[n.argmax()])[:2]]

    def apart(plane: int) -> float:
        shifts = np.mgrid[-3:4, -3:4].reshape(2, -1).T
        differences = [
            one[plane, 25:38, 25:38] - other[plane, 25 + y : 38 + y, 25 + x : 38 + x]
            for y, x in shifts
        ]
        return min(float(np.ptp(each)) for each in differences)

    assert apart(1) < 1e-2
    assert apart(0) > 10


def test_table_has_a_row_for_each_correlation() -> None:
    """One stamp, and all of them with several correlations, of each sample."""
    fields = FieldSet(seed=7, fields=1, surveys=('ztf',))
    lines = table_of_objects(load_model('transient'), {'here': fields}, jobs=1)
    assert 'cross-entropy' in lines[0]
    assert '| here | one stamp |' in lines[2]
    assert [line.split('|')[2].strip() for line in lines[3:]] == [
        '0', '0.1', '0.2', '0.3', '0.4', '0.5', '0.7', '1',
    ]  # fmt: skip
    assert float(lines[3].split('|')[4].split()[0]) == pytest.approx(1, abs=0.2)
