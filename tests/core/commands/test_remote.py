"""Files that are elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from astrosieve import batch
from astrosieve.commands import remote
from astrosieve.commands.remote import Remote, at_hand, is_folder, remote_files
from astrosieve.commands.runs.folder import read_log
from astrosieve.exceptions import ExposureError

fsspec = pytest.importorskip('fsspec')


@pytest.fixture
def store() -> str:
    """Address of a folder in memory with two files."""
    files = fsspec.filesystem('memory')
    for name in ('a', 'b'):
        files.pipe(f'/nights/{name}_flc.fits', f'of {name}'.encode())
    return 'memory://nights'


def test_fetched_for_a_while(store: str) -> None:
    """A file is there under its name, and gone afterwards."""
    source = Remote(f'{store}/a_flc.fits')
    with at_hand(source) as path:
        assert (path.name, path.read_text()) == ('a_flc.fits', 'of a')
    assert not path.parent.exists()
    assert (str(source), source.name) == (f'{store}/a_flc.fits', 'a_flc.fits')
    assert not is_folder(source)


def test_patterns(store: str) -> None:
    """All that match, in order; an address without a pattern is taken as it is."""
    names = [each.name for each in remote_files(f'{store}/*_flc.fits')]
    assert names == ['a_flc.fits', 'b_flc.fits']
    assert remote_files('https://here/a?b=[1]') == [Remote('https://here/a?b=[1]')]
    with pytest.raises(ExposureError, match='no such file'):
        remote_files(f'{store}/x*')


@pytest.mark.parametrize('url', ['memory://nights/c.fits', 'soup://nights/a.fits'])
def test_what_cannot_be_read(url: str, store: str) -> None:
    """Missing files and unknown stores are one kind of error, which names them."""
    with pytest.raises(ExposureError, match=url), Remote(url).fetched():
        pass


def test_too_large(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is fetched than a disk may hold, and nothing stays."""
    monkeypatch.setattr(remote, 'MOST_BYTES', 3)
    before = set(Path(tempfile.gettempdir()).glob('astrosieve-*'))
    with (
        pytest.raises(ExposureError, match='is larger than 3 bytes'),
        Remote(f'{store}/a_flc.fits').fetched(),
    ):
        pass
    assert set(Path(tempfile.gettempdir()).glob('astrosieve-*')) == before


def test_errors_name_the_address(store: str, tiny_model: Path) -> None:
    """What is said of the copy is said of the file itself."""
    (answer,) = batch('classify', f'{store}/a_flc.fits', model=tiny_model, jobs=1)
    assert answer['input'] == f'{store}/a_flc.fits'
    assert 'astrosieve-' not in answer['error']


@pytest.mark.slow
def test_a_bucket(pieces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An S3 server that really runs: patterns, workers, a run that is verified."""
    pytest.importorskip('s3fs')
    boto3 = pytest.importorskip('boto3')
    server = pytest.importorskip('moto.server').ThreadedMotoServer(
        '127.0.0.1', 0, verbose=False
    )
    server.start()
    try:
        host, port = server.get_host_and_port()
        where = {
            'endpoint_url': f'http://{host}:{port}',
            'aws_access_key_id': 'any',
            'aws_secret_access_key': 'any',
        }
        client = boto3.client('s3', region_name='us-east-1', **where)
        client.create_bucket(Bucket='hst')
        for name in ('a', 'b', 'bad-1'):
            key = f'public/{name}/{name}.fits'
            client.put_object(Bucket='hst', Key=key, Body=f'of {name}'.encode())
        own = {
            'FSSPEC_S3_ENDPOINT_URL': where['endpoint_url'],
            'FSSPEC_S3_KEY': 'any',
            'FSSPEC_S3_SECRET': 'any',
        }
        words = ('s3://hst/public/*/*.fits', '--run', 'night', '--jobs', '2')
        done = subprocess.run(
            [sys.executable, str(pieces), *words],
            env=os.environ | own,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        server.stop()
    assert done.returncode == 1, done.stderr
    assert 's3://hst/public/bad-1/bad-1.fits: damaged' in done.stderr
    log = [each for each in read_log(Path('night')) if each['event'] == 'done']
    assert sorted(each['input'] for each in log) == [
        's3://hst/public/a/a.fits', 's3://hst/public/b/b.fits',
    ]  # fmt: skip
    assert Path('night/tables/a_copy.txt').read_text() == 'of a'
