"""Datasets of labels: what is written and read, what is refused."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('scipy')


from astrosieve.exceptions import AstrosieveWarning, OutputError
from astrosieve.models.registry import sha256_of
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.label import dataset as dataset_module
from astrosieve_training.source.label.dataset import (
    read_card,
    read_dataset,
    summary_lines,
    write_dataset,
)
from astrosieve_training.source.label.errors import DatasetError
from astrosieve_training.source.label.settings import SplitSettings
from astrosieve_training.source.label.splitting import split_counts


def test_round_trip(written: Path, cut: DetectionSet) -> None:
    """What is read is what was cut, with the split; the card tells of it."""
    read = read_dataset(written, 'zscale-log-1')
    assert np.array_equal(read.detections.inputs['cutouts'], cut.inputs['cutouts'])
    for name in cut.rows.colnames:
        one, other = np.asarray(cut.rows[name]), np.asarray(read.detections.rows[name])
        assert (one == other)[one == one].all(), name
    card = read_card(written)
    assert card['counts'] == split_counts(read.detections.rows)
    assert card['classes'] == ['star', 'cosmic_ray', 'bad_pixel']
    assert card['missing'] == ['spike', 'extended', 'background']
    assert card['created_by'] == {'how': 'by hand'}
    assert [each['name'] for each in card['exposures']] == [
        'a_flt.fits', 'b_flt.fits', 'c_flt.fits',
    ]  # fmt: skip
    assert set(card['preprocessings']) == {'zscale-log-1', 'local-noise-2'}
    lines = summary_lines(card)
    assert lines[0].startswith('training: ')
    assert 'spike, extended, background' in lines[-1]
    other = read_dataset(written, 'local-noise-2')
    assert (other.detections.rows['split'] == read.detections.rows['split']).all()
    assert set(other.detections.inputs) == {'cutouts', 'wide', 'far', 'fwhm'}
    assert len(read.part('training', 'validation')) == sum(
        sum(card['counts'][side].values()) for side in ('training', 'validation')
    )
    assert read.sha256 == other.sha256


def copied(written: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in written.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_damaged_dataset_is_refused(written: Path, tmp_path: Path) -> None:
    """Truncated, changed, missing, of another format: each says what to do."""
    folder = copied(written, tmp_path / 'd')
    path = folder / 'zscale-log-1.npz'
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match='damaged, or not the file'):
        read_dataset(folder, 'zscale-log-1')
    path.unlink()
    with pytest.raises(DatasetError, match='cannot be read'):
        read_dataset(folder, 'zscale-log-1')
    card = json.loads((folder / 'dataset.json').read_text())

    def rewritten(**changes: object) -> None:
        (folder / 'dataset.json').write_text(json.dumps(card | changes))

    preprocessings = json.loads(json.dumps(card['preprocessings']))
    del preprocessings['zscale-log-1']
    rewritten(preprocessings=preprocessings)
    cure = (
        'made for local-noise-2, not .*make it again: .* --preprocessing zscale-log-1'
    )
    with pytest.raises(DatasetError, match=cure):
        read_dataset(folder, 'zscale-log-1')
    rewritten(format='astrosieve-dataset-9')
    with pytest.raises(DatasetError, match="its format is 'astrosieve-dataset-9'"):
        read_card(folder)
    (folder / 'dataset.json').write_text('{"format": "astrosieve-dataset-1"}')
    with pytest.raises(DatasetError, match="says nothing of 'classes'"):
        read_card(folder)
    (folder / 'dataset.json').write_text('{')
    with pytest.raises(DatasetError, match='not the card of a dataset'):
        read_card(folder)
    (folder / 'dataset.json').unlink()
    with pytest.raises(DatasetError, match='no such file; a dataset is the folder'):
        read_card(folder)


def test_dataset_made_before_is_read(tmp_path: Path) -> None:
    """One whose card holds a hash of the code that made it, whatever that was."""
    labels = ['star', 'star', 'cosmic_ray']
    arrays = {
        'input_cutouts': np.zeros((3, 1, 11, 11), dtype=np.float32),
        'row_label': np.array(labels),
        'row_split': np.array(['training', 'validation', 'training']),
    }
    np.savez_compressed(tmp_path / 'zscale-log-1.npz', **arrays)
    content = (tmp_path / 'zscale-log-1.npz').read_bytes()
    card = {
        'format': 'astrosieve-dataset-1',
        'version': '0.1.0',
        'created_by': {'how': 'by hand'},
        'classes': ['star', 'cosmic_ray'],
        'missing': ['spike', 'extended', 'bad_pixel', 'background'],
        'counts': {
            'training': {'star': 1, 'cosmic_ray': 1},
            'validation': {'star': 1, 'cosmic_ray': 0},
        },
        'settings': {'validation_share': 0.2, 'ratio': 1.5, 'min_class': 50, 'seed': 0},
        'gap': 11,
        'exposures': [
            {
                'name': 'a_flt.fits', 'bytes': 679680, 'sha256': '29a4', 'exptime': 100,
                'instrument': 'SIM', 'detector': 'CCD', 'filter': 'R',
            }
        ],
        'cameras': ['sim-ccd-r'],
        'preprocessings': {
            'zscale-log-1': {
                'file': 'zscale-log-1.npz', 'sha256': sha256_of(content), 'rows': 3,
                'code': '75af8540a33d',
            }
        },
    }  # fmt: skip
    (tmp_path / 'dataset.json').write_text(json.dumps(card))
    read = read_dataset(tmp_path, 'zscale-log-1')
    assert read.detections.rows['label'].tolist() == labels
    assert len(read.part('training')) == 2


def test_not_an_archive(written: Path, tmp_path: Path) -> None:
    """A file whose hash is right but which holds no arrays."""
    folder = copied(written, tmp_path / 'd')
    (folder / 'zscale-log-1.npz').write_bytes(b'nothing')
    card = json.loads((folder / 'dataset.json').read_text())
    card['preprocessings']['zscale-log-1']['sha256'] = sha256_of(b'nothing')
    (folder / 'dataset.json').write_text(json.dumps(card))
    with pytest.raises(DatasetError, match='not a set of detections'):
        read_dataset(folder, 'zscale-log-1')


def test_nothing_is_half_written(
    cut: DetectionSet, exposures: list[Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An old dataset stays unless it may go; one that is broken off has no card."""
    settings = SplitSettings(min_class=20)
    sets = {'zscale-log-1': cut}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        write_dataset(tmp_path / 'd', sets, exposures=exposures, settings=settings)
        with pytest.raises(OutputError, match='exists; give --overwrite'):
            write_dataset(tmp_path / 'd', sets, exposures=exposures)

        def stop(*args: object, **kwargs: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(dataset_module.np, 'savez_compressed', stop)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(
                tmp_path / 'd', sets, exposures=exposures, settings=settings,
                overwrite=True,
            )  # fmt: skip
    with pytest.raises(DatasetError, match='If that was interrupted, run it again'):
        read_dataset(tmp_path / 'd', 'zscale-log-1')


def test_sets_must_agree(
    cut: DetectionSet, exposures: list[Path], tmp_path: Path
) -> None:
    """The sets of two preprocessings are about the same detections."""
    other = cut[np.arange(len(cut)) != 4]
    with pytest.raises(DatasetError, match='local-noise-2 is about other detections'):
        write_dataset(
            tmp_path / 'd', {'zscale-log-1': cut, 'local-noise-2': other},
            exposures=exposures,
        )  # fmt: skip
    assert not (tmp_path / 'd').exists()
