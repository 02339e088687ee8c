"""What networks see of labels: which rows, of which exposures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('scipy')

from astropy.table import Table

from astrosieve.exceptions import AstrosieveWarning, ExposureError
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.label.cutting import cut_labels
from astrosieve_training.source.label.errors import DatasetError


def test_rows_say_what_was_cut(cut: DetectionSet, exposures: list[Path]) -> None:
    """Positions on the chip all become rows, in order of the exposures."""
    rows = cut.rows
    assert cut.inputs['cutouts'].shape == (len(rows), 1, 11, 11)
    order = np.asarray(rows['exposure'], str)
    assert list(dict.fromkeys(order)) == [path.name for path in exposures]
    assert set(rows['camera']) == {'sim-ccd-r'}
    assert (rows['share'] == 1).all()
    assert not rows['contested'].any()
    bright = np.asarray(rows['label'] == 'star') & (order == 'a_flt.fits')
    snr = np.asarray(rows['snr'])[bright]
    assert np.median(snr[:40]) > 50
    assert abs(np.nanmedian(snr[40:])) < 3
    assert np.allclose(rows['scale'], 0.036)
    # One star, three exposures, one place in the sky.
    for column, spread in (('ra', 3e-5), ('dec', 1e-7)):
        places = np.asarray(rows[column]).astype(float)
        first = [places[np.flatnonzero(order == path.name)[5]] for path in exposures]
        assert np.ptp(np.mod(np.array(first) + 180, 360)) < spread


def test_inputs_are_those_of_inference(
    exposures: list[Path], labels: Table, cut: DetectionSet
) -> None:
    """The pixels about a label are those that classify would look at."""
    from astrosieve.images.exposures import read_chips
    from astrosieve.images.measured import MeasuredImage
    from astrosieve_training.source.datasets.chips import network_inputs

    chip = next(iter(read_chips(exposures[1])))
    mine = np.asarray(cut.rows['exposure'] == 'b_flt.fits')
    xy = np.column_stack([cut.rows['x'][mine], cut.rows['y'][mine]])
    seen = network_inputs(MeasuredImage.of_chip(chip), xy, 'zscale-log-1')
    expected = seen['input_cutouts']
    assert np.array_equal(cut.inputs['cutouts'][mine], expected)


def test_labels_of_other_exposures_are_left_out(
    exposures: list[Path], labels: Table
) -> None:
    """With a count; none left at all is an error."""
    with pytest.warns(AstrosieveWarning, match=r'960 of 2880 labels .*\(c_flt'):
        found = cut_labels(exposures[:2], labels, preprocessing='zscale-log-1')
    assert set(found.rows['exposure']) == {'a_flt.fits', 'b_flt.fits'}
    other = labels.copy()
    other['exposure'] = 'z_flt.fits'
    with pytest.raises(DatasetError, match=r'the labels name z_flt\.fits, given'):
        cut_labels(exposures, other, preprocessing='zscale-log-1')


def test_exposure_without_labels_is_named(exposures: list[Path], labels: Table) -> None:
    """It is no error, but no secret."""
    some = labels[labels['exposure'] != 'b_flt.fits']
    with pytest.warns(AstrosieveWarning, match='b_flt.fits: no label is about'):
        cut_labels(exposures, some, preprocessing='zscale-log-1')


def test_missing_chip_and_edges(exposures: list[Path], labels: Table) -> None:
    """A chip that is not there is an error; positions beyond the chip are counted."""
    wrong = labels.copy()
    wrong['extver'][3] = 2
    with pytest.raises(DatasetError, match=r'name chip 2 \(extver\)'):
        cut_labels(exposures, wrong, preprocessing='zscale-log-1')
    off = labels.copy()
    off['x_centroid'][:7] = 400.2
    with pytest.warns(AstrosieveWarning, match='7 labels lie beyond the edge'):
        found = cut_labels(exposures, off, preprocessing='zscale-log-1')
    assert len(found) == len(labels) - 7
    off['y_centroid'] = -30.0
    with pytest.raises(DatasetError, match='0-based'):
        cut_labels(exposures, off, preprocessing='zscale-log-1')


def test_two_files_of_one_name(
    exposures: list[Path], labels: Table, tmp_path: Path
) -> None:
    """Labels could not tell them apart."""
    twin = tmp_path / exposures[0].name
    twin.write_bytes(exposures[0].read_bytes())
    with pytest.raises(DatasetError, match='two exposures of one name'):
        cut_labels([*exposures, twin], labels, preprocessing='zscale-log-1')
    gone = tmp_path / 'gone' / exposures[0].name
    mine = labels[labels['exposure'] == gone.name]
    with pytest.raises(ExposureError, match='no such file'):
        cut_labels([gone], mine, preprocessing='zscale-log-1')
