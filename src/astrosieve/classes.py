"""Classes of a task: their names, what they mean, and how they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from astrosieve.markdown import markdown_table

__all__ = ['CONVENTIONS', 'UNSCORED', 'ClassInfo', 'ClassSet', 'Marker', 'words']

UNSCORED = 'unscored'
"""``class_name`` of what cannot be scored, in every task."""

CONVENTIONS = ('report', 'colour-blind')
"""Whose colours classes are drawn in: the task's own, or Okabe & Ito's (2008)."""


def words(name: str) -> str:
    """Return the name of a class as pages, legends and menus write it."""
    return name.replace('_', ' ')


@dataclass(frozen=True)
class Marker:
    """
    How things of one class are drawn.

    Parameters
    ----------
    color : str
        Hexadecimal colour; distinct to colour-blind eyes by shape as well.
    matplotlib, ds9 : str
        Shape, as matplotlib and DS9 call it.
    safe_color : str
        Colour that colour-blind eyes tell from the others' on its own; the same
        where it is not given.
    """

    color: str
    matplotlib: str
    ds9: str
    safe_color: str = ''


@dataclass(frozen=True)
class ClassInfo:
    """
    One class of a task.

    Parameters
    ----------
    name : str
        As in ``class_name`` and ``p_<class>``.
    plural : str
        What tables and messages call its members.
    meaning : str
        What it is, in a line.
    marker : `Marker`
        How it is drawn over images.
    ink : str
        Its colour on white paper; the marker's where it is not given.
    """

    name: str
    plural: str
    meaning: str
    marker: Marker
    ink: str = ''


_UNSCORED = ClassInfo(
    UNSCORED,
    UNSCORED,
    'cannot be scored; `class_flags` says why',
    Marker('#ffffff', '1', 'boxcircle'),
)
_OTHER = Marker('#00d0d0', 'p', 'arrow')  # of classes of other people's models


class ClassSet(Mapping[str, ClassInfo]):
    """
    The classes of a task by name, in the order of tables and legends.

    Parameters
    ----------
    classes : iterable of `ClassInfo`
        The classes; their names must be unique.
    """

    def __init__(self, classes: Iterable[ClassInfo]) -> None:
        listed = list(classes)
        self._classes = {each.name: each for each in listed}
        if len(self._classes) != len(listed) or UNSCORED in self._classes:
            msg = f'the names of classes must differ, and none be {UNSCORED!r}'
            raise ValueError(msg)

    def __getitem__(self, name: str) -> ClassInfo:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self._classes)

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Return each name once: these classes, then others, then what is unscored."""
        found = set(names)
        others = sorted(found - {*self, UNSCORED})
        return [name for name in (*self, *others, UNSCORED) if name in found]

    def plural(self, name: str) -> str:
        """Return what the members of a class are called."""
        return self[name].plural

    def ink(self, name: str) -> str:
        """Return a class's colour on white paper."""
        return self[name].ink or self[name].marker.color

    def marker(self, name: str, convention: str = 'report') -> Marker:
        """
        Return a class's marker; classes of other people's models share one.

        Parameters
        ----------
        name : str
            The class, or `UNSCORED`.
        convention : {'report', 'colour-blind'}, optional
            Whose colours.

        Returns
        -------
        marker : `Marker`

        Raises
        ------
        ValueError
            If there is no such convention.
        """
        if convention not in CONVENTIONS:
            listed = ', '.join(CONVENTIONS)
            msg = f'convention must be one of {listed}; got {convention!r}'
            raise ValueError(msg)
        if name == UNSCORED:
            return _UNSCORED.marker
        marker = self[name].marker if name in self else _OTHER
        if convention == 'report' or not marker.safe_color:
            return marker
        return Marker(marker.safe_color, marker.matplotlib, marker.ds9)

    def document(self) -> str:
        """Return a Markdown table of the classes."""
        infos = (*self.values(), _UNSCORED)
        rows = [(f'`{info.name}`', info.meaning) for info in infos]
        return '\n'.join(markdown_table(('class', 'meaning'), rows))
