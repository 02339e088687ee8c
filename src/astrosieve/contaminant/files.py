"""Maps in FITS files: extensions PROB and MASK for each image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from astropy.io import fits

from astrosieve import __version__
from astrosieve.atomic import atomic_path
from astrosieve.contaminant.flags import bits_of, mask_type
from astrosieve.contaminant.segment import Contaminants, Part
from astrosieve.contaminant.verdict.judge import VERDICTS, Verdict, worst_of
from astrosieve.exceptions import ExposureError, OutputError
from astrosieve.images.exposures import is_compressed
from astrosieve.images.fits_files import open_fits, without_host_warnings

__all__ = ['MapFile', 'map_file', 'read_contaminants', 'write_contaminants']

_LARGEST, _UNKNOWN = 254, 255  # of a byte: probability 1, and a pixel of which nothing
_BLOCK = 2880
_CARDS = dict(
    zip(VERDICTS, ('P_TRACK', 'P_DOUBLE', 'P_FOCUS', 'P_NOSTAR'), strict=True)
)
"""Cards of the probabilities of a verdict."""


def _verdict_cards(verdict: Verdict) -> dict[str, Any]:
    """Return the cards of a verdict; without a value where it cannot be told."""
    said = ', '.join(verdict.failures) or ('good' if verdict.told else 'not told')
    p = {n: round(each, 4) for n, each in verdict.probabilities.items()}
    cards = {_CARDS[n]: None if np.isnan(each) else each for n, each in p.items()}
    return {'VERDICT': said, **cards, 'VMODEL': verdict.meta['model']}


def _verdict(header: fits.Header) -> Verdict | None:
    """Return the verdict that a header holds."""
    if 'VERDICT' not in header:
        return None
    values = {name: header[card] for name, card in _CARDS.items()}
    p = {n: float(v) if v not in (None, '') else np.nan for n, v in values.items()}
    said = header['VERDICT']
    failures = tuple(name for name in VERDICTS if name in said.split(', '))
    meta = {'model': header['VMODEL']}
    return Verdict(p, failures, said != 'not told', meta)


class MapFile:
    """
    A file of maps that is being written, some rows after the other.

    Made by `map_file`.

    Parameters
    ----------
    file : file object
        Open for writing; holds the primary header.
    thresholds : dict of str to float
        By the classes of the planes.
    """

    def __init__(self, file: IO[bytes], thresholds: Mapping[str, float]) -> None:
        self._file = file
        self._limits = thresholds
        self.verdicts: list[Verdict] = []

    def add(
        self,
        parts: Iterable[Part],
        shape: tuple[int, int],
        *,
        extver: int = 1,
        prior: Mapping[str, float] | None = None,
        wcs: Any = None,
        verdict: Verdict | None = None,
    ) -> Iterator[Part]:
        """
        Write the extensions of an image.

        Parameters
        ----------
        parts : iterable of `~astrosieve.contaminant.segment.Part`
            Its map.
        shape : (int, int)
            Its shape.
        extver : int, optional
            Version of both extensions.
        prior : dict of str to float, optional
            Expected shares that the probabilities hold for.
        wcs : `~astropy.wcs.WCS`, optional
            Of the image; the mask has it too, without tables of distortions.
        verdict : `~astrosieve.contaminant.Verdict`, optional
            On the whole image; the mask says it.

        Yields
        ------
        part : `~astrosieve.contaminant.segment.Part`
            Each of them, when it is written.
        """
        classes, limits = tuple(self._limits), self._limits
        bits = bits_of(classes)
        kind = mask_type(bits)
        cube = (len(classes), *shape)
        names = {f'CLASS{n:02}': name for n, name in enumerate(classes)}
        scaled = {'BSCALE': 1 / _LARGEST, 'BZERO': 0.0, 'BLANK': _UNKNOWN}
        held: dict[str, Any] = {}
        for name in classes:
            number = bits[name].bit_length() - 1
            held[f'BIT{number:02}'] = name
            held[f'THRESH{number:02}'] = limits[name]
        said = [
            f'prior of {name}: {share:.6g}' for name, share in (prior or {}).items()
        ]
        if verdict is not None:
            held |= _verdict_cards(verdict)
            self.verdicts.append(verdict)
        prob = self._header('PROB', extver, 8, cube, {**scaled, **names}, said)
        self._fill(np.prod(cube, dtype=int))
        if wcs is not None:
            with without_host_warnings():
                held.update(wcs.to_header(relax=True))
        mask = self._header('MASK', extver, 8 * kind.itemsize, shape, held, said)
        self._fill(np.prod(shape, dtype=int) * kind.itemsize)
        end = self._file.tell()

        def written(part: Part) -> Part:
            first = part.rows.start
            for n, plane in enumerate(part.probabilities):
                values = np.rint(plane * np.float32(_LARGEST))
                values[np.isnan(values)] = _UNKNOWN
                self._file.seek(prob + (n * shape[0] + first) * shape[1])
                self._file.write(values.astype(np.uint8).tobytes())
            self._file.seek(mask + first * shape[1] * kind.itemsize)
            self._file.write(part.mask.astype(kind.newbyteorder('>')).tobytes())
            return part

        yield from map(written, parts)
        self._file.seek(end)

    def _header(
        self,
        name: str,
        extver: int,
        bits: int,
        shape: Sequence[int],
        cards: Mapping[str, Any],
        history: Sequence[str],
    ) -> int:
        """Write the header of an extension; return where its data begin."""
        header = fits.Header(
            [('XTENSION', 'IMAGE'), ('BITPIX', bits), ('NAXIS', len(shape))]
        )
        for axis, n in enumerate(reversed(shape), 1):
            header[f'NAXIS{axis}'] = n
        header.update({'PCOUNT': 0, 'GCOUNT': 1, 'EXTNAME': name, 'EXTVER': extver})
        header.update(cards)
        for line in history:
            header.add_history(line)
        self._file.write(header.tostring().encode('ascii'))
        return self._file.tell()

    def _fill(self, size: int) -> None:
        """Give the data their room; what is not written stays zero."""
        end = self._file.tell() + -(-size // _BLOCK) * _BLOCK
        self._file.truncate(end)
        self._file.seek(end)


@contextmanager
def map_file(
    path: str | Path,
    thresholds: Mapping[str, float],
    *,
    model: str,
    sha256: str,
    image: str = '',
    overwrite: bool = False,
) -> Iterator[MapFile]:
    """
    Give a file of maps to write to, there as a whole or not at all.

    Parameters
    ----------
    path : path-like
        FITS file, not compressed.
    thresholds : dict of str to float
        At which a class holds, by the classes of the planes.
    model, sha256 : str
        Name and version of the model, and its hash.
    image : str, optional
        Name of the image's file.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Yields
    ------
    file : `MapFile`

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if is_compressed(path):
        msg = f'{path}: maps are written row by row, not compressed; name a .fits file'
        raise OutputError(msg)
    primary = fits.PrimaryHDU()
    primary.header['EXTEND'] = True
    primary.header['FILENAME'] = image
    primary.header['MODEL'] = (model, 'astrosieve model')
    primary.header['MODELSHA'] = sha256
    primary.header['CREATOR'] = f'astrosieve {__version__}'
    with (
        atomic_path(path, overwrite=overwrite) as temporary,
        temporary.open('r+b') as file,
    ):
        file.write(primary.header.tostring().encode('ascii'))
        maps = MapFile(file, thresholds)
        yield maps
        if maps.verdicts:  # there is room for it in the header's block
            primary.header.update(_verdict_cards(worst_of(maps.verdicts)))
            file.seek(0)
            file.write(primary.header.tostring().encode('ascii'))


def write_contaminants(
    found: Contaminants,
    path: str | Path,
    *,
    image: str = '',
    extver: int = 1,
    wcs: Any = None,
    overwrite: bool = False,
) -> None:
    """
    Write the map of an image, as ``astrosieve segment`` does.

    Parameters
    ----------
    found : `~astrosieve.contaminant.Contaminants`
        The map.
    path : path-like
        FITS file, not compressed.
    image, extver, wcs : optional
        Name of the image's file, version of its extension, and its WCS.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    shape = found.mask.shape
    whole = Part(slice(0, shape[0]), found.probabilities, found.mask)
    with map_file(
        path,
        found.thresholds,
        model=found.meta['model'],
        sha256=found.meta['hash'],
        image=image,
        overwrite=overwrite,
    ) as maps:
        prior = found.meta.get('prior')
        parts = maps.add(
            [whole], shape, extver=extver, prior=prior, wcs=wcs, verdict=found.verdict
        )
        list(parts)


def read_contaminants(path: str | Path, extver: int = 1) -> Contaminants:
    """
    Read the map of an image.

    Parameters
    ----------
    path : path-like
        File that ``astrosieve segment`` wrote.
    extver : int, optional
        Version of the image's extension.

    Returns
    -------
    contaminants : `~astrosieve.contaminant.Contaminants`
        Probabilities in steps of 1/254.

    Raises
    ------
    ExposureError
        If the file cannot be read, or has no map of that version.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        try:
            prob, mask = (hdus[name, extver] for name in ('PROB', 'MASK'))
        except KeyError:
            msg = (
                f'{path}: no extensions PROB,{extver} and MASK,{extver}; make them '
                'with astrosieve segment'
            )
            raise ExposureError(msg) from None
        numbers = range(prob.header['NAXIS3'])
        classes = tuple(prob.header[f'CLASS{n:02}'] for n in numbers)
        named = {mask.header[f'BIT{n:02}']: n for n in range(32) if _bit(mask, n)}
        probabilities = np.empty(prob.shape, np.float16)
        for n in numbers:  # plane by plane: the file's numbers need memory too
            probabilities[n] = prob.section[n]
        return Contaminants(
            probabilities,
            np.array(mask.data, dtype=mask.data.dtype.newbyteorder('=')),
            classes,
            {name: 1 << named[name] for name in classes},
            {name: mask.header[f'THRESH{named[name]:02}'] for name in classes},
            {
                'model': hdus[0].header['MODEL'],
                'hash': hdus[0].header['MODELSHA'],
                'version': hdus[0].header['CREATOR'].removeprefix('astrosieve '),
            },
            said=_verdict(mask.header),
        )


def _bit(mask: fits.ImageHDU, number: int) -> bool:
    return f'BIT{number:02}' in mask.header
