"""
What a header says of a frame's type.

The rules hold for any observatory: words that mean a type, names of lamps, names of
spectrophotometric standards. Where a header says nothing certain, it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from astrosieve.frametype.classes import UNKNOWN

__all__ = ['header_type']

_TYPES = (
    'IMAGETYP', 'OBSTYPE', 'IMGTYPE', 'IMTYPE', 'OBS_TYPE', 'IMAGECAT', 'FRAMETYP',
    'FRAMETYPE', 'FRAME', 'EXPTYPE', 'DATATYPE', 'CALTYPE', 'OBSCLASS', 'DATA-TYP',
    'ESO DPR TYPE', 'DPR TYPE', 'ESO DPR CATG', 'DPR CATG', 'KOAIMTYP', 'FLAVOR',
)  # fmt: skip
_MODES = ('OBSMODE', 'OBS_MODE')  # name calibrations; else the set-up alone
_CAMEL = re.compile(r'(?<=[a-z])(?=[A-Z])')
_TECHNIQUES = ('ESO DPR TECH', 'DPR TECH')
_TIMES = ('EXPTIME', 'EXPOSURE', 'EXPOSED', 'ITIME', 'TTIME', 'TELAPSE', 'ELAPTIME')
_LONG = 300.0  # seconds; an exposure of a named target that no standard takes

_ELEMENTS = 'He|Ne|Ar|Kr|Xe|Hg|Cd|Zn|Cu|Fe|Th|U|Na|Rb|Cs'
_LINE_LAMP = re.compile(
    rf'\b(?:(?:{_ELEMENTS})(?:[-+_/ ]?(?:{_ELEMENTS}))+|helium|neon|argon|krypton|xenon'
    r'|mercury|cadmium|zinc|thorium|copper)\b',
    re.IGNORECASE,
)
_ONE_ELEMENT = re.compile(rf'^(?:{_ELEMENTS})$', re.IGNORECASE)
_WHITE_LAMP = re.compile(
    r'\b(?:halogen|quartz|qz|tungsten|incandescent|deuterium|white|dome ?lamp|'
    r'flat ?lamp|continuum)\b',
    re.IGNORECASE,
)

# The first that matches counts, in the value of a keyword that is there to say a type.
_WORDS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            UNKNOWN,
            r'\b(?:focus|acq|acquisition|image|imaging|hartmann|pointing|test)\b',
        ),
        ('flat', r'flat|twilight|quartz|halogen|orderdef|\btrace\b'),
        ('bias', r'\b(?:bias|zero)'),
        ('dark', r'\bdark'),
        (
            'arc',
            r'\b(?:arc|arcs|arclamp|comp|comparison|wave|wavecal|linelamp)\b|^line$'
            r'|\bcalibration lamp\b',
        ),
        ('standard', r'\b(?:std|standard|stdstar|specphot|flux|telluric|partnercal)\b'),
        (
            'science',
            r'^(?:object|obj|science|sci|target|light|sky|on-sky|spectrum|spec)\b',
        ),
    )
)
# In OBJECT, where people also write the names of their targets.
_OBJECT_WORDS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (UNKNOWN, r'^(?:focus|acquisition|hartmann|slit ?image|telescope focus)\b'),
        (
            'flat',
            r'^(?:(?:lamp|dome|sky|twi(?:light)?|int(?:ernal)?|pix(?:el)?|illum|slit)'
            r'[-_ ]?)?flat(?:[-_ ]?(?:field|lamp))?s?(?!.*galax)\b|^twilight\b',
        ),
        ('bias', r'^(?:bias|zero)(?:[-_ ]?(?:frame|\d+))*s?$'),
        ('dark', r'^dark(?:[-_ ]?(?:frame|\d+(?:\.\d*)?) ?s?(?:ec)?)*s?$'),
        (
            'arc',
            r'^(?:arcs?|comp(?:arison)?|wave(?:cal)?|calib(?:ration)? ?lamp)'
            r'(?:[-_ ]?lamp)?(?:\s*[:;,_(]|\s*\d*$|\s+(?:of|for|lamp)\b)',
        ),
    )
)
# Names of spectrophotometric standards: Oke, Massey, Hamuy, Stone, CALSPEC, the ING's.
_STANDARD = re.compile(
    r'^(?:feige ?\d+|hz ?\d{1,2}|g191-?b2b|gd ?(?:50|71|108|140|153|190|248)'
    r'|bd ?[+ ]?(?:28 ?d?4211|33 ?d?2642|17 ?d?4708|25 ?d?4655|75 ?d?325|26 ?d?2606'
    r'|40 ?d?4032|08 ?d?2015|54 ?d?1216|28 ?d?4211)|hilt(?:ner)? ?(?:102|600)'
    r'|ltt ?(?:377|1020|1788|2415|3218|3864|4364|4816|6248|7379|7987|9239|9491)'
    r'|eg ?(?:21|131|274|247|139|81)|cd ?-?(?:32 ?9927|34 ?241)|sp\d{4}[+-]\d{2,3}'
    r'|wolf ?1346|wolf ?485a|g93-48|g138-31|g158-100|g24-9|g60-54|kopff ?27'
    r'|lds ?749b?|lb ?227|l ?745-?46a|ngc ?7293 ?cs?|cyg ?ob2 ?(?:no\.? ?)?9|grw ?\+?70'
    r'.*|hd ?(?:93521|192281|217086|84937|19445|49798)|pg ?(?:0823|1545|1708)\+\d+'
    r'|vma ?2|p177-?d)(?:[ _-].*)?$',
    re.IGNORECASE,
)
_ON = ('on', 'true', 't', '1', 'yes', 'open', 'lit')
_CLOSED = ('closed', 'close', 'shut', 'false', 'off', 'no')


def _texts(header: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        value = header.get(key)
        if isinstance(value, str) and value.strip():
            yield re.sub(r'[_,;]+', ' ', value.strip())


def _first(
    words: tuple[tuple[str, re.Pattern[str]], ...], text: str
) -> str:  # '' for none
    return next((kind for kind, pattern in words if pattern.search(text)), '')


def _lamp(text: str, *, alone: bool) -> str:
    """Return what a lamp of that name makes; one element counts where it is alone."""
    if _LINE_LAMP.search(text) or (alone and _ONE_ELEMENT.match(text.strip())):
        return 'arc'
    return 'flat' if _WHITE_LAMP.search(text) else ''


def _lit(header: Mapping[str, Any]) -> set[str]:
    """Return what the lamps that are on make."""
    made = set()
    for key, value in header.items():
        upper, state = key.upper(), str(value).strip().lower()
        if 'LAMP' not in upper and not _lamp(key, alone=False):
            continue
        if value is True or state in _ON:
            # LAMPSTAT3 = 'on' says of lamp 3, whose name is in LAMPNAM3.
            number = re.search(r'([A-Z]|\d+)$', upper)
            names = [
                str(header.get(f'{stem}{number[1]}', ''))
                for stem in ('LAMPNAM', 'LAMPNAME', 'LAMP_N')
                if number is not None
            ]
            made |= {_lamp(name, alone=True) for name in [*names, key]}
        elif 'LAMP' in upper and 'NAM' not in upper and isinstance(value, str):
            parts = [part for part in re.split(r'[\s,]+', value) if part]
            made |= {_lamp(part, alone=True) for part in parts}
    return made - {''}


def _seconds(header: Mapping[str, Any]) -> float | None:
    for key in _TIMES:
        value = header.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None


def _of_object(header: Mapping[str, Any]) -> str:
    """Return what OBJECT says: a calibration, or a standard by its name."""
    text = next(_texts(header, ('OBJECT', 'OBJNAME', 'TARGNAME')), '')
    kind = _first(_OBJECT_WORDS, text)
    if not kind and text:
        first = re.match(r'\S+', text)
        kind = _lamp(first[0], alone=False) if first else ''
    return kind or ('standard' if _STANDARD.match(text) else '')


def header_type(header: Mapping[str, Any] | None) -> str:
    """
    Return the type that a header gives its frame.

    In this order: what a keyword for types says (IMAGETYP, OBSTYPE ...), unless it is
    'object' and OBJECT or the lamps know better; OBJECT; lamps that are on; an exposure
    of no time, or a long one with the shutter closed; a long one of a named target.

    Parameters
    ----------
    header : mapping or None
        FITS header.

    Returns
    -------
    frame_type : str
        One of `~astrosieve.frametype.CLASSES`: 'unknown' for what the header calls
        focus, acquisition or image; empty where it does not say.
    """
    if not header:
        return ''
    found = [_first(_WORDS, text) for text in _texts(header, _TYPES)]
    modes = [_first(_WORDS, _CAMEL.sub(' ', t)) for t in _texts(header, _MODES)]
    said = next((kind for kind in found + modes if kind not in ('', 'science')), '')
    image = any(
        re.match('image', t, re.IGNORECASE) for t in _texts(header, _TECHNIQUES)
    )
    if image and said not in ('bias', 'dark'):
        return UNKNOWN
    if said:
        return said
    seconds, target = _seconds(header), _of_object(header)
    if target:
        return target
    lit = _lit(header)
    if lit:
        return 'arc' if 'arc' in lit else 'flat'
    if 'science' in found:
        return 'science'
    if seconds == 0:
        return 'bias'
    if any(text.lower() in _CLOSED for text in _texts(header, ('SHUTTER', 'SHUTSTAT'))):
        return 'dark' if seconds else 'bias'
    named = next(_texts(header, ('OBJECT', 'OBJNAME', 'TARGNAME')), '')
    return 'science' if named and seconds is not None and seconds >= _LONG else ''
