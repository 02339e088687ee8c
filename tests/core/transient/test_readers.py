"""Tests of the readers of stamps."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.transient.candidates import Order
from astrosieve.transient.errors import StampError
from astrosieve.transient.readers import list_stamps, read_candidates
from astrosieve.transient.readers.packets import packets_of, read_schema

Draw = Callable[..., np.ndarray]


def test_npz_of_the_stated_form(tmp_path: Path, stamps_of: Draw) -> None:
    """Stamps have the planes on the last axis; ids are kept as given."""
    stamps = stamps_of('rbr')
    path = tmp_path / 's.npz'
    ids = ['a7', '0012', 'c']
    np.savez(path, stamps=np.moveaxis(stamps, 1, 3).astype(np.float16), id=ids)
    found = list(read_candidates(path))
    assert [each.id for each in found] == ids
    assert {each.kind for each in found} == {'triplet'}
    np.testing.assert_allclose(found[1].planes, stamps[1], rtol=2e-3, atol=0.05)


def test_real_alerts_are_read(data_dir: Path) -> None:
    """All 551, in the order of the table beside them."""
    folder = data_dir / 'others' / 'alerts'
    found = list(read_candidates(folder / 'ztf_train.npz'))
    table = (folder / 'ztf_train.csv').read_text().splitlines()[1:]
    assert [each.id for each in found] == [line.partition(',')[0] for line in table]
    assert {each.planes.shape for each in found} == {(3, 63, 63)}


def test_planes_by_name_and_those_missing(tmp_path: Path, stamps_of: Draw) -> None:
    """Of three named arrays one may be missing; it is NaN."""
    stamps = stamps_of('rb')
    path = tmp_path / 's.npz'
    np.savez(
        path,
        science=stamps[:, 0],
        difference=stamps[:, 2],
        object=['x', 'y'],
        fwhm=[2.0, 3.0],
    )
    found = list(read_candidates(path))
    assert [(each.id, each.object, each.fwhm) for each in found] == [
        ('s_0', 'x', 2.0),
        ('s_1', 'y', 3.0),
    ]
    assert np.isnan(found[0].planes[1]).all()
    np.testing.assert_array_equal(found[1].planes[[0, 2]], stamps[1, [0, 2]])


def test_the_order_of_planes_can_be_told(tmp_path: Path, stamps_of: Draw) -> None:
    """By their names, ours or others'."""
    stamps = stamps_of('r')
    np.save(tmp_path / 's.npy', stamps[:, [2, 0, 1]])
    order = Order.of('diff,sci,ref')
    (found,) = read_candidates(tmp_path / 's.npy', order=order)
    np.testing.assert_array_equal(found.planes, stamps[0])
    assert Order.of('gri') == Order('bands')
    assert Order.of(('u', 'g', 'r')).kind == 'bands'
    for wrong in ('gr', 'ggr', 'science,template,r', ('a', 'b', '')):
        with pytest.raises(ValueError, match='bands must be'):
            Order.of(wrong)


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ({'stamps': np.zeros((4, 63, 63, 2))}, 'three planes'),
        ({'stamps': np.zeros((63, 63))}, 'must be numbers of shape'),
        ({'stamps': np.array(['a'])}, 'must be numbers of shape'),
        ({'stamps': np.zeros((1, 3, 2000, 2000))}, 'no stamp'),
        ({'stamps': np.zeros((2, 3, 9, 9)), 'id': ['a']}, '2 candidates have 1'),
        ({'other': np.zeros(3), 'more': np.zeros(3)}, 'has no array stamps'),
        (
            {'science': np.zeros((1, 9, 9)), 'difference': np.zeros((1, 8, 9))},
            'planes differ in shape',
        ),
        ({'stamps': np.array([{}], dtype=object)}, 'not a readable npz'),
    ],
)
def test_npz_of_another_form_says_what_is_wanted(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    """In a line that names the file."""
    path = tmp_path / 's.npz'
    np.savez(path, **arrays)
    with pytest.raises(StampError, match=message) as caught:
        list(read_candidates(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'the file is empty'),
        (b'id,x,y\n1,2,3\n', 'no stamps are known in this form'),
        (b'PK\x03\x04damaged', 'not a readable npz'),
        (b'\x89PNGdamaged', 'not a readable picture'),
        (b'SIMPLE  =                    T damaged', 's.x'),
        (b'\x1f\x8bdamaged', 's.x'),
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Whatever they are called; so is one that is not there."""
    path = tmp_path / 's.x'
    path.write_bytes(content)
    with pytest.raises(StampError, match=message):
        list(read_candidates(path))
    with pytest.raises(StampError, match='no such file'):
        list(read_candidates(tmp_path / 'none.npz'))


def test_cubes_of_fits(tmp_path: Path, drawn: Draw) -> None:
    """One candidate for each cube, of any size; a damaged one keeps its place."""
    hdus = [fits.PrimaryHDU()]
    for k, side in enumerate((63, 31, 45)):
        hdu = fits.ImageHDU(drawn(side, seed=k), name=f'C{k}')
        hdu.header['OBJECT'] = 'SN'
        hdu.header['FWHM'] = 2.5
        hdus.append(hdu)
    hdus[2] = fits.ImageHDU(np.zeros((4, 31, 31), np.float32), name='C1')
    path = tmp_path / 's.fits'
    fits.HDUList(hdus).writeto(path)
    found = list(read_candidates(path))
    assert [each.id for each in found] == ['C0', 'C1', 'C2']
    assert [each.planes is None for each in found] == [False, True, False]
    assert 'three planes' in found[1].problem
    assert found[2].planes.shape == (3, 45, 45)
    assert (found[2].object, found[2].fwhm) == ('SN', 2.5)


def test_fits_with_named_images_and_a_table(tmp_path: Path, stamps_of: Draw) -> None:
    """Images of N stamps each, and a table that names them; compressed too."""
    stamps = stamps_of('rb')
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column('id', '4A', array=['a', 'b']),
            fits.Column('mjd', 'D', array=[5, 6]),
        ]
    )
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(stamps[:, 2], name='DIFF'),
        fits.ImageHDU(stamps[:, 0], name='SCI'),
        table,
    ]
    path = tmp_path / 's.fits.gz'
    fits.HDUList(hdus).writeto(path)
    found = list(read_candidates(path))
    assert [(each.id, each.mjd) for each in found] == [('a', 5.0), ('b', 6.0)]
    np.testing.assert_array_equal(found[1].planes[[0, 2]], stamps[1, [0, 2]])
    assert np.isnan(found[0].planes[1]).all()
    fits.PrimaryHDU(stamps[0, 0]).writeto(tmp_path / 'image.fits')
    with pytest.raises(StampError, match='wanted are cubes'):
        list(read_candidates(tmp_path / 'image.fits'))


def test_one_cube_of_fits(tmp_path: Path, stamps_of: Draw) -> None:
    """Of one candidate, or of several with a fourth axis."""
    stamps = stamps_of('rb')
    fits.PrimaryHDU(stamps[0]).writeto(tmp_path / 'one.fits')
    (found,) = read_candidates(tmp_path / 'one.fits')
    assert found.id == 'one'
    np.testing.assert_array_equal(found.planes, stamps[0])
    fits.PrimaryHDU(stamps).writeto(tmp_path / 'two.fits')
    assert [each.id for each in read_candidates(tmp_path / 'two.fits')] == [
        'two_0',
        'two_1',
    ]


def test_hdf5(tmp_path: Path, stamps_of: Draw, drawn: Draw) -> None:
    """Datasets as of an npz file, or a group for each candidate, of any size."""
    h5py = pytest.importorskip('h5py')
    stamps = stamps_of('rb')
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['stamps'] = np.moveaxis(stamps, 1, 3)
        file['id'] = ['x', 'y']
    found = list(read_candidates(tmp_path / 'a.h5'))
    assert [each.id for each in found] == ['x', 'y']
    np.testing.assert_array_equal(found[1].planes, stamps[1])
    with h5py.File(tmp_path / 'b.h5', 'w') as file:
        file['one/stamps'] = drawn(31)
        file['three/nothing'] = np.zeros(3)
        file['two/stamps'] = drawn(63)
    found = list(read_candidates(tmp_path / 'b.h5'))
    assert [each.id for each in found] == ['one', 'three', 'two']
    assert found[1].planes is None
    assert found[2].planes.shape == (3, 63, 63)
    content = (tmp_path / 'a.h5').read_bytes()
    (tmp_path / 'c.h5').write_bytes(content[: len(content) // 2])
    with pytest.raises(StampError, match='not a readable HDF5'):
        list(read_candidates(tmp_path / 'c.h5'))


@pytest.mark.parametrize('suffix', ['png', 'jpg'])
def test_pictures_are_three_bands(tmp_path: Path, suffix: str) -> None:
    """Their colours are the bands, 255 is white."""
    image = pytest.importorskip('PIL.Image')
    levels = np.zeros((51, 51, 3), np.uint8) + np.uint8([100, 120, 140])
    path = tmp_path / f's17.{suffix}'
    image.fromarray(levels).save(path)
    (found,) = read_candidates(path)
    assert (found.id, found.kind, found.white) == ('s17', 'bands', 255)
    np.testing.assert_allclose(found.planes.mean(axis=(1, 2)), [100, 120, 140], atol=2)
    image.fromarray(levels[..., 0]).save(path)
    with pytest.raises(StampError, match='a grey picture'):
        list(read_candidates(path))


def test_packets_of_ztf(tmp_path: Path, packets: Any, stamps_of: Draw) -> None:
    """Many in a file: id, object, date and cutouts of each."""
    stamps = stamps_of('rb')
    records = [packets.ztf_record(each, k) for k, each in enumerate(stamps)]
    path = tmp_path / 'night.avro'
    path.write_bytes(packets.ztf(*records))
    packed = tmp_path / 'night.avro.gz'
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert [each.mjd for each in read_candidates(packed)] == [59000.0, 59001.0]
    found = list(read_candidates(path))
    assert [each.id for each in found] == [str(each['candid']) for each in records]
    assert {each.object for each in found} == {'ZTF21aaaaaaa'}
    assert [each.mjd for each in found] == [59000.0, 59001.0]
    np.testing.assert_array_equal(found[1].planes, stamps[1])


def test_packets_of_rubin(tmp_path: Path, packets: Any, stamps_of: Draw) -> None:
    """Cutouts are plain bytes, gzipped or not, and may be smaller than others."""
    stamps = stamps_of('rb', n=41)
    records = [packets.rubin_record(each, k) for k, each in enumerate(stamps)]
    small = packets.rubin_record(stamps[0][:, 5:-5, 5:-5], 0)['cutoutTemplate']
    records[1] |= {'cutoutTemplate': small, 'cutoutScience': None}
    path = tmp_path / 'r.avro'
    path.write_bytes(packets.avro(packets.rubin_schema, records))
    found = list(read_candidates(path))
    assert [each.id for each in found] == ['170000000', '170000001']
    assert [each.object for each in found] == ['313000', '313000']
    assert found[1].mjd == 60901.0
    np.testing.assert_array_equal(found[0].planes, stamps[0])
    science, template, difference = found[1].planes
    assert np.isnan(science).all()
    assert np.isnan(template[:5]).all()
    np.testing.assert_array_equal(template[5:-5, 5:-5], stamps[0, 1, 5:-5, 5:-5])
    np.testing.assert_array_equal(difference, stamps[1, 2])


def test_a_bad_packet_does_not_end_the_file(packets: Any, stamps_of: Draw) -> None:
    """Corrupt gzip, no cutouts, no FITS: each keeps its place and says why."""
    records = [packets.ztf_record(each, k) for k, each in enumerate(stamps_of('rrrrr'))]
    data = records[1]['cutoutTemplate']['stampData']
    records[1]['cutoutTemplate']['stampData'] = data[: len(data) // 2]
    data = records[2]['cutoutScience']['stampData']
    records[2]['cutoutScience']['stampData'] = data[:40] + b'\xff' * 40 + data[80:]
    for name in ('cutoutScience', 'cutoutTemplate', 'cutoutDifference'):
        records[3][name] = None
    records[4]['cutoutDifference']['stampData'] = b'nothing'
    found = list(packets_of(packets.ztf(*records), 'p'))
    assert len(found) == 5
    assert not found[0].problem
    assert 'cutoutTemplate: the gzip stream is damaged' in found[1].problem
    assert np.isnan(found[1].planes[1]).all()
    assert 'cutoutScience' in found[2].problem
    assert (found[3].planes, found[3].problem) == (None, 'the packet has no cutouts')
    assert 'cutoutDifference' in found[4].problem
    assert found[4].planes is not None


def test_a_file_that_ends_early(packets: Any, stamps_of: Draw) -> None:
    """What came before is read; the rest is one row that says so."""
    records = [packets.ztf_record(each, k) for k, each in enumerate(stamps_of('rrr'))]
    content = packets.ztf(*records)
    found = list(packets_of(content[:-2000], 'p'))
    assert found[-1].planes is None
    assert 'p:' in found[-1].problem
    (only,) = packets_of(b'Obj\x01', 'p')
    assert 'not a readable packet' in only.problem


def test_unknown_schemas(packets: Any) -> None:
    """A packet without cutouts, and one that carries no schema, say so."""
    schema = {
        'type': 'record',
        'name': 'other',
        'fields': [{'name': 'flux', 'type': 'float'}],
    }
    (found,) = packets_of(packets.avro(schema, [{'flux': 1.0}]), 'p')
    assert (found.id, found.planes) == ('p', None)
    assert 'unknown schema: the packet has none of cutoutScience' in found.problem
    (found,) = packets_of(b'\0\0\0\0\x07abc', 'p')
    assert 'give its .avsc file' in found.problem


def test_a_packet_without_its_schema(
    tmp_path: Path, packets: Any, stamps_of: Draw
) -> None:
    """Rubin's stream has the number of the schema alone: a file gives it."""
    fastavro = pytest.importorskip('fastavro')
    path = tmp_path / 'lsst.avsc'
    path.write_text(json.dumps(packets.rubin_schema))
    schema = read_schema(path)
    record = packets.rubin_record(stamps_of('r')[0], 5)
    file = io.BytesIO(b'\0\0\0\0\x07')
    file.seek(5)
    fastavro.schemaless_writer(
        file, fastavro.parse_schema(packets.rubin_schema), record
    )
    (tmp_path / 'm.avro').write_bytes(file.getvalue())
    (found,) = read_candidates(tmp_path / 'm.avro', schema=schema)
    assert found.id == '170000005'
    path.write_text('{')
    with pytest.raises(StampError, match='not an Avro schema'):
        read_schema(path)


def test_archives_of_packets(tmp_path: Path, packets: Any, stamps_of: Draw) -> None:
    """As ZTF's archive has them: a night is a tar file of single packets."""
    path = tmp_path / 'ztf_public.tar.gz'
    with tarfile.open(path, 'w:gz') as archive:
        for k, each in enumerate(stamps_of('rb')):
            content = packets.ztf(packets.ztf_record(each, k))
            content = content if k else content[:50]
            member = tarfile.TarInfo(f'{k}.avro')
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    found = list(read_candidates(path))
    assert [each.id for each in found] == ['0', '2000000000000000001']
    assert found[0].planes is None
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StampError, match='damaged'):
        list(read_candidates(path))


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    """Those of stamps, by name."""
    for name in ('b.avro', 'a.NPZ', 'notes.txt', '.c.npz', 'd.fits.gz'):
        (tmp_path / name).touch()
    names = [path.name for path in list_stamps(tmp_path)]
    assert names == ['a.NPZ', 'b.avro', 'd.fits.gz']
