"""Exposures of one field, checked before they are labelled together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from astropy.wcs import WCS

from astrosieve.images.exposures import Chip, read_chips, root_name
from astrosieve.images.footprints import Footprint
from astrosieve.images.units import electron_scale
from astrosieve_training.source.label.errors import CombiningError

__all__ = [
    'OWN_IMAGE',
    'ChipFrame',
    'InputExposure',
    'celestial',
    'check_exposures',
]

OWN_IMAGE = 'give your own combined image with --combined'


@dataclass(frozen=True)
class ChipFrame:
    """
    Where the pixels of a chip are on the sky.

    Parameters
    ----------
    extver : int
        Version of the extension.
    shape : (int, int)
        ``(ny, nx)``.
    wcs : `~astropy.wcs.WCS` or None
        Celestial WCS, if there is one.
    electrons_per_unit : float
        What the pixels are to be multiplied by.
    """

    extver: int
    shape: tuple[int, int]
    wcs: WCS | None
    electrons_per_unit: float

    @cached_property
    def footprint(self) -> Footprint:
        """Sky that the chip shows."""
        return Footprint.of(celestial(self), self.shape)


@dataclass(frozen=True)
class InputExposure:
    """
    An exposure to label, without its pixels.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    chips : tuple of `ChipFrame`
        In the order of the file.
    camera : str
        Instrument and detector, for instance 'WFC3/UVIS'; empty if the file does
        not say.
    filter_name : str
        Empty if the file does not say.
    exptime : float or None
        Seconds; None if the file does not say.
    identity : str
        What the file says of when and as what it was taken; empty if nothing.
    """

    path: Path
    chips: tuple[ChipFrame, ...]
    camera: str
    filter_name: str
    exptime: float | None
    identity: str

    def overlaps(self, other: InputExposure) -> bool:
        """Return whether two exposures have sky in common."""
        return any(
            mine.footprint.overlaps(theirs.footprint)
            for mine in self.chips
            for theirs in other.chips
        )


def check_exposures(paths: Sequence[Path], *, combined: bool) -> list[InputExposure]:
    """
    Read what exposures are, and refuse those that cannot be labelled together.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        The exposures.
    combined : bool
        Whether the user gives a combined image: then one exposure is enough, and it
        needs no WCS.

    Returns
    -------
    exposures : list of `InputExposure`
        In the same order.

    Raises
    ------
    CombiningError
        If there are too few, or one is given twice, of another filter or camera, in
        a unit that cannot be converted to electrons, without a WCS or an exposure
        time, or without overlap with the others.
    ExposureError
        If a file cannot be read.
    """
    if not paths or (len(paths) == 1 and not combined):
        given = f'one exposure only ({paths[0]})' if paths else 'no exposure'
        msg = (
            f'{given}: cosmic rays are known by their absence from other exposures. '
            f'Give two or more of the same filter, or {OWN_IMAGE}'
        )
        raise CombiningError(msg)
    _check_names(paths)
    exposures = [_read_exposure(Path(path), combined=combined) for path in paths]
    _check_identity(exposures)
    _check_same(exposures, 'camera', 'cameras')
    _check_same(exposures, 'filter_name', 'filters')
    if not combined:
        _check_overlap(exposures)
    return exposures


def celestial(chip: ChipFrame) -> WCS:
    """Return the WCS of a chip, which `check_exposures` saw to."""
    if chip.wcs is None:
        msg = f'a chip without a WCS cannot be combined: {OWN_IMAGE}'
        raise CombiningError(msg)
    return chip.wcs


def _check_names(paths: Sequence[Path]) -> None:
    """Refuse files given twice, and files that labels could not tell apart."""
    seen: dict[Path, Path] = {}
    roots: dict[str, Path] = {}
    for path in map(Path, paths):
        if path.resolve() in seen:
            msg = f'{path}: given twice; name each exposure once'
            raise CombiningError(msg)
        seen[path.resolve()] = path
        other = roots.setdefault(root_name(path), path)
        if other is not path:
            msg = (
                f'{path} and {other} have the same name, by which labels would call '
                'them: rename one'
            )
            raise CombiningError(msg)


def _read_exposure(path: Path, *, combined: bool) -> InputExposure:
    chips = []
    for chip in read_chips(path):
        if chip.wcs is None and not combined:
            msg = (
                f'{chip.name}: has no celestial WCS (CTYPE, CRVAL, CRPIX, CD), so that '
                'it cannot be laid on the other exposures. Solve its astrometry, or '
                f'{OWN_IMAGE}, pixel by pixel like the exposure'
            )
            raise CombiningError(msg)
        if not combined and chip.exptime is None:
            msg = (
                f'{chip.name}: has no exposure time; set EXPTIME in the header, or '
                f'{OWN_IMAGE}'
            )
            raise CombiningError(msg)
        shape = (chip.sci.shape[0], chip.sci.shape[1])
        chips.append(ChipFrame(chip.extver, shape, chip.wcs, _electrons(chip)))
    camera = '/'.join(name for name in (chip.instrument, chip.detector) if name)
    identity = [str(chip.header.get(key, '')) for key in ('ROOTNAME', 'EXPSTART')]
    return InputExposure(
        path,
        tuple(chips),
        camera,
        chip.filter_name,
        chip.exptime,
        ' at '.join(identity) if all(identity) else '',
    )


def _electrons(chip: Chip) -> float:
    """Return electrons per unit of the pixels; refuse what is not known."""
    scale, problem = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
    if problem is None:
        return scale
    if chip.unit is None:
        cure = "set BUNIT to 'ELECTRONS', or to 'COUNTS' with GAIN, in the header"
        cause = 'has no unit (BUNIT)'
    elif chip.unit.quantity == 'flux':
        cure = 'take a file in electrons or counts'
        cause = f'is in calibrated flux ({chip.header.get("BUNIT")})'
    elif chip.unit.quantity == 'DN' and chip.gain is None:
        cure = 'set GAIN (electrons per count) in the header'
        cause = f'is in {chip.unit} and has no gain'
    else:
        cure = 'set EXPTIME in the header'
        cause = f'is in {chip.unit} and has no exposure time'
    msg = f'{chip.name}: {cause}; peaks are chosen by their electrons: {cure}'
    raise CombiningError(msg)


def _check_identity(exposures: Sequence[InputExposure]) -> None:
    """Refuse one exposure under two names: its cosmic rays would be in both."""
    seen: dict[str, Path] = {}
    for exposure in exposures:
        if not exposure.identity:
            continue
        other = seen.setdefault(exposure.identity, exposure.path)
        if other is not exposure.path:
            msg = (
                f'{exposure.path} and {other} are the same exposure '
                f'({exposure.identity}): its cosmic rays would be found in both. '
                'Leave one out'
            )
            raise CombiningError(msg)


def _check_same(exposures: Sequence[InputExposure], name: str, plural: str) -> None:
    """Refuse exposures of several cameras or filters."""
    groups: dict[str, list[str]] = defaultdict(list)
    for exposure in exposures:
        groups[getattr(exposure, name)].append(exposure.path.name)
    if len(groups) == 1:
        return
    said = '; '.join(f'{k or "none named"}: {", ".join(v)}' for k, v in groups.items())
    msg = (
        f'the exposures are of {len(groups)} {plural} ({said}). Run once for each, '
        'with two or more exposures'
    )
    raise CombiningError(msg)


def _check_overlap(exposures: Sequence[InputExposure]) -> None:
    """Refuse exposures that do not all hang together on the sky."""
    left = list(exposures)
    groups = []
    while left:
        group = [left.pop(0)]
        for one in group:
            joined = [other for other in left if one.overlaps(other)]
            group += joined
            left = [other for other in left if other not in joined]
        groups.append(group)
    if len(groups) == 1:
        return
    said = '; '.join(', '.join(e.path.name for e in group) for group in groups)
    msg = (
        f'the exposures have no sky in common: {len(groups)} fields ({said}). Run once '
        'for each field, with two or more exposures, or check their WCS'
    )
    raise CombiningError(msg)
