"""New headers into exposures, the old ones kept."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astropy.io import fits

from astrosieve.atomic import atomic_path, check_output
from astrosieve.exceptions import ExposureError, OutputError
from astrosieve.images.exposures import root_name
from astrosieve_plugins.tweakreg_catalogs.hosts import host
from astrosieve_plugins.tweakreg_catalogs.inputs import Exposure

__all__ = ['check_updates', 'header_copies', 'put_in_place']

_NO_MODEL = 'NOMODEL'


def header_copies(exposure: Exposure) -> tuple[Path, Path]:
    """Return where the original headers of an exposure are kept: text, headerlet."""
    root = root_name(exposure.path)
    folder = exposure.path.parent
    return folder / f'{root}_original.hdr', folder / f'{root}_original_hlet.fits'


def check_updates(exposures: Sequence[Exposure]) -> None:
    """
    Refuse exposures whose headers cannot be changed.

    Raises
    ------
    ExposureError
        If a file is compressed.
    OutputError
        If a file or its folder is read-only.
    """
    for exposure in exposures:
        path = exposure.path
        if exposure.compressed:
            msg = f'{path}: is compressed; unpack it before its headers are changed'
            raise ExposureError(msg)
        check_output(path, overwrite=True)
        if not os.access(path, os.W_OK):
            msg = f'{path}: is read-only; make it writable before --update'
            raise OutputError(msg)


def _keep_headers(exposure: Exposure) -> list[Path]:
    """Write the original headers beside an exposure; those kept before stay."""
    text, headerlet = header_copies(exposure)
    written = []
    with fits.open(exposure.path) as hdus:
        if not text.exists():
            parts = [
                f'# HDU {number} {hdu.name},{hdu.ver}\n'
                + hdu.header.tostring(sep='\n', endcard=True, padding=False)
                for number, hdu in enumerate(hdus)
            ]
            with atomic_path(text) as temporary:
                temporary.write_text('\n'.join(parts) + '\n', encoding='ascii')
            written.append(text)
    if not headerlet.exists() and _write_headerlet(exposure.path, headerlet):
        written.append(headerlet)
    return written


def _write_headerlet(path: Path, headerlet: Path) -> bool:
    """Write a headerlet of the WCS, if stwcs can make one of it."""
    make: Any = host('stwcs.wcsutil.headerlet').create_headerlet
    header = fits.getheader(path, ('SCI', 1))
    primary = fits.getheader(path)
    models = {}
    for option, key, table in (
        ('sipname', 'SIPNAME', 'IDCTAB'),
        ('npolfile', 'NPOLFILE', ''),
        ('d2imfile', 'D2IMFILE', ''),
    ):
        known = primary.get(key) or header.get(key) or (table and primary.get(table))
        # None lets stwcs find the name itself, which it can where there is one.
        models[option] = None if known else _NO_MODEL
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            hdus = make(str(path), hdrname='ORIGINAL', logging=False, **models)
            with atomic_path(headerlet) as temporary:
                hdus.writeto(temporary, overwrite=True)
        except OutputError:
            raise
        except Exception:
            # It wants what archived HST files have; the text has every card anyway.
            return False
    return True


@contextmanager
def put_in_place(exposures: Sequence[Exposure], folder: Path) -> Iterator[list[Path]]:
    """
    Replace exposures by their updated copies, all or none.

    Parameters
    ----------
    exposures : sequence of `Exposure`
        The exposures.
    folder : `~pathlib.Path`
        Where their updated copies are.

    Yields
    ------
    kept : list of `~pathlib.Path`
        The files that hold the original headers; the exposures themselves are
        replaced when the context ends without an error.
    """
    check_updates(exposures)
    kept: list[Path] = []
    staged: list[tuple[Path, Path]] = []
    try:
        for exposure in exposures:
            kept += _keep_headers(exposure)
            staged.append(
                (_stage(folder / exposure.name, exposure.path), exposure.path)
            )
        yield kept
        for temporary, path in staged:
            temporary.replace(path)
    except OutputError:
        raise
    except OSError as error:
        msg = f'the headers cannot be updated ({error})'
        raise OutputError(msg) from error
    finally:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)


def _stage(source: Path, path: Path) -> Path:
    """Copy an updated file beside the one that it will replace."""
    handle, name = tempfile.mkstemp(prefix='.', suffix=f'-{path.name}', dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, 'wb') as file, source.open('rb') as updated:
            while block := updated.read(1 << 22):
                file.write(block)
        temporary.chmod(path.stat().st_mode & 0o777)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
