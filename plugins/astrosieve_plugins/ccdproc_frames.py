"""Types of frames in collections of ccdproc."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from astropy.table import Column

from astrosieve.exceptions import AstrosieveError, AstrosieveWarning
from astrosieve.frametype import UNKNOWN, classify_file
from astrosieve.models.registry import Model

if TYPE_CHECKING:
    from ccdproc import ImageFileCollection

__all__ = ['add_frame_types']


def add_frame_types(
    collection: ImageFileCollection,
    model: str | Path | Model = 'frametype',
    *,
    column: str = 'frame_type',
) -> None:
    """
    Add a column of types to the summary of a collection.

    ``collection.files_filtered(frame_type='arc')`` then works as for a keyword of the
    headers.

    Parameters
    ----------
    collection : `~ccdproc.ImageFileCollection`
        The collection, whose summary is changed.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The model.
    column : str, optional
        Name of the column.

    Warns
    -----
    AstrosieveWarning
        If a frame cannot be typed; it is 'unknown'.
    """
    types = []
    for path in collection.files_filtered(include_path=True):
        try:
            types.append(classify_file(path, model)[0].frame_type)
        except AstrosieveError as error:
            warnings.warn(str(error), AstrosieveWarning, stacklevel=2)
            types.append(UNKNOWN)
    summary = collection.summary
    if column in summary.colnames:
        summary.remove_column(column)
    summary.add_column(Column(types, name=column, dtype='U8'))
