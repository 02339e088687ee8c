"""Frames in, types out, with a model that looks at one number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData
from click.testing import CliRunner

pytest.importorskip('onnx')

from astropy.table import Table

from astrosieve.classes import ClassSet
from astrosieve.frametype import CLASSES, UNKNOWN, classify_file, classify_frame
from astrosieve.frametype.classify import decide
from astrosieve.frametype.command import frametype
from astrosieve.frametype.frames import FrameError
from astrosieve.frametype.preprocessing import Summary
from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve.models.registry import Model, load_model, sha256_of

Draw = Callable[..., np.ndarray]
LIT = 17  # of the numbers: the share of cells more than 10 sigma above zero


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A model that calls a frame with many lit cells a flat, others a bias."""
    from onnx import TensorProto, checker, helper, numpy_helper

    shapes = Summary().shapes
    rows = np.zeros((shapes['numbers'][0], 2), dtype=np.float32)
    rows[LIT] = -40, 40
    graph = helper.make_graph(
        [
            helper.make_node('MatMul', ['numbers', 'rows'], ['product']),
            helper.make_node('Add', ['product', 'offsets'], ['logits']),
        ],
        'lit',
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ['n', *shape])
            for name, shape in shapes.items()
        ],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, ['n', 2])],
        [
            numpy_helper.from_array(rows, 'rows'),
            numpy_helper.from_array(np.array([20, -20], np.float32), 'offsets'),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    made.ir_version = 8
    checker.check_model(made)
    content = made.SerializeToString()
    path = tmp_path / 'lit.onnx'
    path.write_bytes(content)
    card = ModelCard(
        name='lit', version='1.0', task='frametype', description='Lit or not.',
        classes=('bias', 'flat'), preprocessing=Summary.name,
        inputs=described_inputs(Summary()), sha256=sha256_of(content), temperature=1.0,
        class_prior={'bias': 0.5, 'flat': 0.5}, operating_points={},
        training_data='none', split='none', seed=0, licence='BSD-3-Clause',
    )  # fmt: skip
    path.with_suffix('.json').write_text(card.to_json())
    return load_model(path, threads=1)


def test_classes() -> None:
    """Six types, and what is none of them."""
    assert isinstance(CLASSES, ClassSet)
    assert CLASSES.names == (
        'bias', 'dark', 'arc', 'flat', 'science', 'standard', UNKNOWN
    )  # fmt: skip


@pytest.mark.parametrize(
    ('winners', 'expected'),
    [
        ((0, 0, 0, 0), 'bias'),
        ((0, 0, 1, 0), 'bias'),
        ((0, 1, 1, 0), UNKNOWN),
        ((0, 1, 2, 0), UNKNOWN),
        ((2, 2, 2, 1), 'arc'),
    ],
)
def test_three_of_four_decide(winners: tuple[int, ...], expected: str) -> None:
    """Two and two are unknown."""
    p = np.eye(3)[list(winners)]
    frame_type, votes = decide(p, ('bias', 'flat', 'arc'))
    assert frame_type == expected
    assert sum(votes.values()) == 4


def test_doubt_is_unknown() -> None:
    """From a stated probability of 'unknown' a flip votes so, whatever is likelier."""
    p = np.array([[0.7, 0.3], [0.7, 0.3], [0.7, 0.3], [0.9, 0.1]])
    classes = ('bias', UNKNOWN)
    assert decide(p, classes) == ('bias', {'bias': 4, UNKNOWN: 0})
    assert decide(p, classes, least=0.3) == (UNKNOWN, {'bias': 1, UNKNOWN: 3})
    assert decide(p, classes, least=0.31)[0] == 'bias'


def test_array(model: Model, drawn: Draw) -> None:
    """An array is typed; the header changes what it says alone."""
    frame = classify_frame(drawn('flat'), model=model)
    assert frame.frame_type == 'flat'
    assert frame.votes == {'bias': 0, 'flat': 4}
    assert sum(frame.probabilities.values()) == pytest.approx(1)
    assert frame.header_type == ''
    assert frame.agrees
    told = classify_frame(drawn('flat'), {'IMAGETYP': 'bias'}, model)
    assert told.frame_type == 'flat'
    assert told.header_type == 'bias'
    assert not told.agrees
    with pytest.raises(FrameError, match='all pixels are zero'):
        classify_frame(np.zeros((50, 60)), model=model)


def test_mosaic(model: Model, drawn: Draw, tmp_path: Path) -> None:
    """Typed as a whole and by extension; a whole of two minds is unknown."""
    for kinds, expected in ((('flat', 'flat'), 'flat'), (('flat', 'bias'), UNKNOWN)):
        hdus = [fits.PrimaryHDU(header=fits.Header({'OBJECT': 'dome flat'}))]
        hdus += [fits.ImageHDU(drawn(kind)) for kind in kinds]
        path = tmp_path / f'{expected}.fits'
        fits.HDUList(hdus).writeto(path)
        whole, *parts = classify_file(path, model)
        assert whole.frame_type == expected
        assert sum(whole.votes.values()) == 8
        assert whole.header_type == 'flat'
        assert [each.frame_type for each in parts] == list(kinds)


def test_mosaic_with_a_dead_detector(
    model: Model, drawn: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One extension of zeros is told apart; the others say what the whole is."""
    hdus = [fits.PrimaryHDU(header=fits.Header({'OBJECT': 'bias'}))]
    hdus += [fits.ImageHDU(each) for each in (drawn('flat'), np.zeros((70, 90)))]
    fits.HDUList(hdus).writeto(tmp_path / 'm.fits')
    whole, lit, dead = classify_file(tmp_path / 'm.fits', model)
    assert (whole.frame_type, lit.frame_type) == ('flat', 'flat')
    assert sum(whole.votes.values()) == 4
    assert (dead.frame_type, dead.reason) == (UNKNOWN, 'all pixels are zero')
    assert all(np.isnan(p) for p in dead.probabilities.values())
    assert dead.agrees
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        frametype, ['m.fits', '--model', str(model.path), '--summary']
    )
    assert done.exit_code == 0, done.output
    table = Table.read(tmp_path / 'm_frametypes.ecsv')
    assert table['reason'].filled('').tolist() == ['', '', 'all pixels are zero']
    assert np.isnan(table['p_flat'][2])
    assert 'all pixels are zero' in (tmp_path / 'm_frametypes.html').read_text()
    for hdu in hdus[1:]:
        hdu.data = np.full((70, 90), 3.0)
    fits.HDUList(hdus).writeto(tmp_path / 'none.fits')
    with pytest.raises(FrameError, match='all pixels are 3, as its other images'):
        classify_file(tmp_path / 'none.fits', model)


def test_frames_that_were_not_read_whole(
    model: Model, drawn: Draw, tmp_path: Path
) -> None:
    """Half of the rows without data are told; a border is none of that."""
    data = drawn('flat').astype(np.float32)
    data[: len(data) // 12] = 0
    assert classify_frame(data, model=model).frame_type == 'flat'
    data[len(data) // 2 :] = 7
    with pytest.raises(FrameError, match='% of the rows hold one value: not read out'):
        classify_frame(data, model=model)
    fits.PrimaryHDU(data.T).writeto(tmp_path / 'half.fits')
    with pytest.raises(FrameError, match=r'half.fits: \d\d% of the columns hold one'):
        classify_file(tmp_path / 'half.fits', model)


def test_saturated_rows_were_read(model: Model, drawn: Draw) -> None:
    """Rows at the converter's end are none without data, unless nothing else is."""
    data = drawn('flat').astype(np.float32)
    half = len(data) // 2
    data[half:] = 65535.0
    with pytest.raises(FrameError, match='% of the rows hold one value'):
        classify_frame(data, model=model)
    data[:half, :: len(data) // 20] = 65535.0
    assert sum(classify_frame(data, model=model).votes.values()) == 4


def test_data_of_astropy(model: Model, drawn: Draw) -> None:
    """CCDData brings its header and its mask; a Quantity is its value."""
    data = drawn('flat').astype(float)
    mask = np.zeros(data.shape, bool)
    mask[:4] = True
    spoilt = np.where(mask, 1e9, data)
    ccd = CCDData(spoilt, mask=mask, unit='adu', meta={'IMAGETYP': 'dark'})
    frame = classify_frame(ccd, model=model)
    plain = classify_frame(np.where(mask, np.nan, data), model=model)
    assert frame.probabilities == plain.probabilities
    assert frame.header_type == 'dark'
    masked = np.ma.masked_array(spoilt, mask)
    assert classify_frame(masked, model=model).probabilities == plain.probabilities
    assert classify_frame(data * u.electron, model=model).frame_type == 'flat'
    with pytest.raises(FrameError, match='only 0% of the pixels are finite'):
        classify_frame(np.ma.masked_array(data, np.ones(data.shape, bool)), model=model)
    with pytest.raises(FrameError, match='open the file with'):
        classify_frame('a.fits', model=model)
    with pytest.raises(FrameError, match='no numbers'):
        classify_frame(data.astype(complex), model=model)


def test_night(
    model: Model, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of the night; the broken file keeps its row, and fails."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(frametype, [str(night), '--model', str(model.path)])
    assert result.exit_code == 1, result.output
    assert 'f4.fits' in result.stderr
    assert '1 of 5 images failed' in result.stderr
    table = Table.read(tmp_path / 'night_frametypes.ecsv')
    assert table.colnames == [
        'file', 'extension', 'frame_type', 'p_bias', 'p_flat', 'votes', 'header_type',
        'agrees', 'reason',
    ]  # fmt: skip
    assert table['file'].tolist() == [f'f{i}.fits' for i in range(5)]
    assert table['frame_type'][:2].tolist() == ['bias', 'flat']
    assert table['frame_type'][4] == UNKNOWN
    assert np.isnan(table['p_bias'][4])
    assert 'not a readable FITS file' in table['reason'][4]
    assert table['header_type'].filled('').tolist()[:3] == ['bias', 'flat', 'flat']
    assert table.meta['model'] == 'lit 1.0'


def test_summary(model: Model, night: Path, tmp_path: Path) -> None:
    """Disagreements come first, in the text and on a page that needs no other file."""
    (night / 'f4.fits').unlink()
    out = tmp_path / 'out.ecsv'
    args = [str(night), '--model', str(model.path), '-o', str(out), '--summary']
    result = CliRunner().invoke(frametype, args)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 5
    table = Table.read(out)
    wrong = table['file'][~table['agrees']].tolist()
    assert wrong
    assert [line.split()[1] for line in lines[: len(wrong)]] == wrong
    assert 'the header says' in lines[0]
    assert '4 frames: ' in lines[-1]
    page = out.with_suffix('.html').read_text()
    assert page.count('data:image/png;base64,') == 4
    assert 'http' not in page
    assert page.index(wrong[0]) < page.index('f0.fits')
    again = CliRunner().invoke(frametype, args)
    assert again.exit_code == 1
    assert 'exists; give --overwrite' in again.stderr


def test_frames_are_never_an_output(model: Model, night: Path) -> None:
    """Not even with --overwrite."""
    before = (night / 'f1.fits').read_bytes()
    args = [str(night), '-o', str(night / 'f1.fits'), '--overwrite']
    result = CliRunner().invoke(frametype, [*args, '--model', str(model.path)])
    assert result.exit_code != 0
    assert 'f1.fits' in result.stderr
    assert (night / 'f1.fits').read_bytes() == before


def test_json(model: Model, night: Path, tmp_path: Path) -> None:
    """What was said of each frame, for programs."""
    args = [
        str(night), '--model', str(model.path), '-o', str(tmp_path / 'o.csv'), '--json',
    ]  # fmt: skip
    result = CliRunner().invoke(frametype, args)
    said = json.loads(result.stdout)
    assert len(said) == 5
    assert said[0]['frame_type'] == 'bias'
    assert 'error' in said[4]


def test_folder_without_frames(model: Model, tmp_path: Path) -> None:
    """A usage error that names the folder."""
    folder = tmp_path / 'empty'
    folder.mkdir()
    result = CliRunner().invoke(frametype, [str(folder), '--model', str(model.path)])
    assert result.exit_code == 2
    assert 'no FITS files' in result.stderr


def test_pypeit_file(model: Model, night: Path, tmp_path: Path) -> None:
    """The column of a PypeIt file is corrected by the way."""
    rows = [f'| f{i}.fits | None | 1.0 |\n' for i in range(2)]
    text = ''.join(
        [
            'data read\n',
            f' path {night}\n',
            '| filename | frametype | exptime |\n',
            *rows,
        ]
    )
    path = tmp_path / 'night.pypeit'
    path.write_text(f'{text}data end\n')
    args = [str(night), '--model', str(model.path), '--pypeit', str(path)]
    result = CliRunner().invoke(frametype, [*args, '-o', str(tmp_path / 'o.ecsv')])
    assert f'{path}: 2 types written' in result.stderr
    lines = path.read_text().splitlines()
    assert [cell.strip() for cell in lines[4].split('|')][1:3] == [
        'f1.fits', 'pixelflat,illumflat,trace',
    ]  # fmt: skip


def test_a_run(model: Model, night: Path, tmp_path: Path) -> None:
    """Each file has its rows in the data set; what needs all is refused."""
    dataset = pytest.importorskip('pyarrow.dataset')
    folder = tmp_path / 'run'
    args = [str(night), '--model', str(model.path), '--run', str(folder)]
    result = CliRunner().invoke(frametype, args)
    assert result.exit_code == 1  # the broken one
    rows = dataset.dataset(folder / 'rows', partitioning='hive').to_table()
    assert rows['image'].to_pylist() == ['f0', 'f1', 'f2', 'f3']
    assert rows['file'][0].as_py() == str(night / 'f0.fits')
    assert {'frame_type', 'p_bias', 'agrees'} <= set(rows.column_names)
    assert len(list((folder / 'tables').iterdir())) == 4
    refused = CliRunner().invoke(frametype, [*args, '--summary'])
    assert (refused.exit_code, 'does not go with --run' in refused.stderr) == (2, True)
