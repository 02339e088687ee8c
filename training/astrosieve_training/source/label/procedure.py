"""
Labels without labelling: dithered exposures in, labelled detections out.

The procedure of WFC3 ISR 2024-14 (Bajaj & Dauphin 2024), stage by stage: align and
combine; find peaks; merge them into places in the sky; embed the places' cutouts
from the combined image; cluster and name; carry the names back to the exposures.
Each stage is kept in the folder ``stages`` of the output and is not done again
while its settings and what goes into it stay the same.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.models.registry import sha256_of
from astrosieve.source.classes import CLASSES, REPORT_CLASSES
from astrosieve.source.finders import get_finder
from astrosieve_training.source.label import aligning, drizzling, embedding
from astrosieve_training.source.label import combined as combined_module
from astrosieve_training.source.label import peaks as peaks_module
from astrosieve_training.source.label.aligning import align, find_aligner
from astrosieve_training.source.label.carrying import carry_labels, label_table
from astrosieve_training.source.label.combined import Combined, read_combined
from astrosieve_training.source.label.drizzling import combine
from astrosieve_training.source.label.embedding import (
    embed,
    exposure_cutouts,
    find_clusters,
    peaks_to_show,
    transform,
)
from astrosieve_training.source.label.errors import RegionsError
from astrosieve_training.source.label.exposures import check_exposures
from astrosieve_training.source.label.measuring import Measured, measure_places
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.naming import (
    contested,
    name_clusters,
    split_mixed,
)
from astrosieve_training.source.label.peaks import FINDER, find_dips, find_peaks
from astrosieve_training.source.label.places import (
    SkyFrame,
    check_alignment,
    merge_peaks,
)
from astrosieve_training.source.label.regions import Regions
from astrosieve_training.source.label.settings import LabelSettings
from astrosieve_training.stages import Stages, file_hash
from astrosieve_training.versions import code_version, digest, module_of

__all__ = ['Labelling', 'label_exposures']

_SCALES = (0.6, 1.6)  # of the combined image's pixels over the exposure's
_FEW = 50  # members below which a class is said to be scarce


@dataclass(frozen=True)
class Labelling:
    """
    What the procedure found.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The exposures, aligned.
    peaks : `~astropy.table.Table`
        Of all exposures, see `~astrosieve_training.source.label.peaks.find_peaks`.
    members : (N,) int `~numpy.ndarray`
        The place of each peak.
    measured : `~astropy.table.Table`
        Of each peak, see `~astrosieve_training.source.label.measuring.Measured`.
    places : `~astropy.table.Table`
        Those that were embedded: ``id``, ``ra``, ``dec``, ``x``, ``y`` (in the
        combined image), ``n_found``, ``n_covering``, ``always`` (most exposures find
        it), ``electrons``, ``share``, ``snr``, ``psf_likeness``, ``spread``,
        ``broad``, ``halo``, ``physics``, ``umap_1``, ``umap_2``, ``cluster``,
        ``label``.
    cutouts : (M, 11, 11) float32 `~numpy.ndarray`
        Of the places, from the combined image, in [0, 1].
    names : dict of int to str
        Automatic names of the clusters.
    peak_labels : (N,) str `~numpy.ndarray`
        Of the peaks, 'unlabelled' where nothing is sure.
    shown : (K,) int `~numpy.ndarray`
        Peaks whose cutouts from the exposures were placed in the embedding.
    shown_at : (K, 2) float32 `~numpy.ndarray`
        Where.
    labels : `~astropy.table.Table`
        Of detections, see `~astrosieve_training.source.label.carrying.label_table`.
    report : dict
        Counts, and seconds of each stage that was done.
    """

    paths: list[Path]
    peaks: Table
    members: np.ndarray
    measured: Table
    places: Table
    cutouts: np.ndarray
    names: dict[int, str]
    peak_labels: np.ndarray
    shown: np.ndarray
    shown_at: np.ndarray
    labels: Table
    report: dict[str, Any]

    @property
    def embedding(self) -> np.ndarray:
        """(M, 2) positions in the plane of UMAP."""
        return np.column_stack([self.places['umap_1'], self.places['umap_2']])

    @property
    def magnitudes(self) -> np.ndarray:
        """Instrumental magnitudes of the places, ``-2.5 log10(electrons)``."""
        electrons = np.asarray(self.places['electrons'], dtype=float)
        magnitudes: np.ndarray = -2.5 * np.log10(np.maximum(electrons, 1e-3))
        return magnitudes

    def lines(self) -> list[str]:
        """Return what was found, for a terminal."""
        found = self.report
        said = [
            f'{found["peaks"]} peaks at {found["places"]} places, of these '
            f'{found["places that stay on the detector"]} on the detector only'
        ]
        if 'unmatched' in found:
            said += [
                f'{name}: {share:.1%} of the peaks are in no other exposure'
                for name, share in found['unmatched'].items()
            ]
        clusters = Counter(each['name'] for each in found['clusters'].values())
        listed = ', '.join(f'{n} of {name}' for name, n in clusters.most_common())
        said.append(
            f'{found["embedded"]} places embedded, {sum(clusters.values())} clusters '
            f'found: {listed}'
        )
        labels = ', '.join(f'{n} {name}' for name, n in found['labels'].items())
        said.append(f'labels: {labels}')
        return said


def label_exposures(
    paths: Sequence[Path],
    folder: Path,
    settings: LabelSettings,
    *,
    regions: Regions | None = None,
    say: Callable[[str], None] | None = None,
) -> Labelling:
    """
    Label the detections of dithered exposures by their combined image.

    Parameters
    ----------
    paths : sequence of `~pathlib.Path`
        FLT- or FLC-like exposures of one field, camera and filter.
    folder : `~pathlib.Path`
        Gets ``stages/``; what is there of the same settings is not done again.
    settings : `LabelSettings`
        All settings.
    regions : `~astrosieve_training.source.label.regions.Regions`, optional
        Names and regions that a person gave, in place of the automatic ones.
    say : callable, optional
        Told, in a line, what begins.

    Returns
    -------
    labelling : `Labelling`

    Raises
    ------
    LabelError
        If the exposures are misaligned, of different fields, or too shallow.
    CombiningError
        If they cannot be aligned or combined.
    RegionsError
        If the regions belong to another embedding.

    Warns
    -----
    AstrosieveWarning
        If the field is crowded, or a class is missing or scarce.

    References
    ----------
    Bajaj & Dauphin 2024, WFC3 ISR 2024-14.
    """
    paths = [Path(path) for path in paths]
    own = Path(settings.combined) if settings.combined else None
    check_exposures(paths, combined=own is not None)
    clock = _Clock(say)
    stages = Stages(folder / 'stages', clock.start)
    begin, used = _aligned(stages, paths, settings)
    exposures = [list(read_chips(path)) for path in used]
    chips = [chip for each in exposures for chip in each]

    key, peaks, dips = _found(stages, begin, exposures, settings)
    report: dict[str, Any] = {'peaks': len(peaks)}
    if len(paths) > 1:
        names = [path.name for path in paths]
        exptimes = [each[0].exptime or 1.0 for each in exposures]
        unmatched = check_alignment(peaks, names, exptimes, settings.peaks)
        report['unmatched'] = dict(zip(names, unmatched, strict=True))
    members, places = merge_peaks(peaks, settings.peaks)
    report['places'] = len(places)

    if own is None:
        image = stages.files('combined', begin, lambda to: [combine(used, to)])
        combined = read_combined(image[0])
    else:
        combined = read_combined(own, chips[0].wcs)
        _check_scale(combined)
    clock.start('places')
    measured = measure_places(peaks, members, places, dips, combined, settings, chips)
    chosen = measured.places
    report |= measured.report | {'embedded': len(chosen)}

    arrays = _embedded(stages, key, measured, members, peaks, exposures, settings)
    clock.start('clusters')
    named = _named(chosen, arrays['embedding'], settings, regions, report)
    carried = carry_labels(peaks, members, chosen, measured.peaks, settings.naming)
    labels = label_table(peaks, carried, [path.name for path in paths])
    counts = Counter(np.asarray(labels['label'], dtype=str).tolist())
    report['labels'] = {name: counts[name] for name in CLASSES if counts[name]}
    report['seconds'] = clock.stop()
    _warn_of_missing(counts)
    return Labelling(
        paths=used,
        peaks=peaks,
        members=members,
        measured=measured.peaks,
        places=chosen,
        cutouts=measured.cutouts,
        names=named,
        peak_labels=carried,
        shown=arrays['shown'],
        shown_at=arrays['shown_at'],
        labels=labels,
        report=report,
    )


def _aligned(
    stages: Stages, paths: list[Path], settings: LabelSettings
) -> tuple[str, list[Path]]:
    """Return the key of all stages, and the exposures, aligned if they are to be."""
    modules = [combined_module, drizzling]
    given = settings.aligned or settings.combined
    if not given:
        modules += [aligning, module_of(find_aligner())]
    hashes = [file_hash(path) for path in paths]
    key = digest(hashes, given, code_version(*modules))
    if given:
        return key, paths
    return key, stages.files('aligned', key, lambda to: align(paths, to))


def _found(
    stages: Stages, key: str, exposures: list[list[Chip]], settings: LabelSettings
) -> tuple[str, Table, Table]:
    """Return the peaks and the dips of the exposures, and their key."""
    frame = SkyFrame([chip for each in exposures for chip in each])
    key = digest(
        key, settings.peaks, code_version(peaks_module, module_of(get_finder(FINDER)))
    )
    peaks = stages.table(
        'peaks', key, lambda: find_peaks(exposures, frame, settings.peaks)
    )
    dips = stages.table(
        'dips', key, lambda: find_dips(exposures, frame, settings.peaks)
    )
    return key, peaks, dips


def _embedded(
    stages: Stages,
    key: str,
    measured: Measured,
    members: np.ndarray,
    peaks: Table,
    exposures: list[list[Chip]],
    settings: LabelSettings,
) -> dict[str, np.ndarray]:
    """Return the embedding of places, and where some of the peaks are in it."""
    places, cutouts = measured.places, measured.cutouts
    key = digest(
        key,
        settings.embedding,
        sha256_of(np.asarray(places['id']).tobytes()),
        sha256_of(cutouts.tobytes()),
        code_version(embedding),
    )

    def made() -> dict[str, np.ndarray]:
        plane, reducer = embed(cutouts, settings.embedding)
        rng = np.random.default_rng([settings.embedding.seed, 2])
        rows = peaks_to_show(members, places, rng)
        there = transform(reducer, exposure_cutouts(exposures, peaks, rows))
        return {'embedding': plane, 'shown': rows, 'shown_at': there}

    return stages.arrays('embedding', key, made)


def _named(
    places: Table,
    plane: np.ndarray,
    settings: LabelSettings,
    regions: Regions | None,
    report: dict[str, Any],
) -> dict[int, str]:
    """Name clusters of places; tell the places and the report."""
    physics = np.asarray(places['physics'], dtype=str)
    found = find_clusters(plane, settings.embedding)
    clusters = split_mixed(
        plane,
        found,
        physics,
        n_neighbors=settings.embedding.n_neighbors,
        min_size=settings.embedding.min_part(len(places)),
    )
    named = name_clusters(clusters, physics)
    doubtful, sure = contested(clusters, named, places, settings)
    clusters[doubtful] = -1
    for number, name in enumerate(np.unique(sure[sure != '']), max(named) + 1):
        clusters[sure == name] = number
        named[number] = str(name)
    places['umap_1'], places['umap_2'] = plane[:, 0], plane[:, 1]
    places['cluster'] = clusters
    places['label'] = _place_labels(plane, clusters, named, regions)
    report['clusters of HDBSCAN'] = int(found.max()) + 1
    report['clusters'] = {
        str(number): {'name': name, 'places': int((clusters == number).sum())}
        for number, name in named.items()
    }
    return named


def _check_scale(combined: Combined) -> None:
    """Warn where a cutout of the combined image shows more or less of the sky."""
    low, high = _SCALES
    if low < combined.scale < high:
        return
    msg = (
        f"a pixel of the combined image is {combined.scale:.2f} of the exposure's: "
        'cutouts of 11 pixels show another part of a star. Combine at about the '
        "exposure's scale"
    )
    warnings.warn(msg, AstrosieveWarning, stacklevel=3)


class _Clock:
    """Times stages, and says what begins."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self.say = say or (lambda text: None)
        self.seconds: dict[str, float] = {}
        self.name = ''
        self.began = 0.0

    def start(self, name: str) -> None:
        self.stop()
        self.name, self.began = name, time.perf_counter()
        self.say(name)

    def stop(self) -> dict[str, float]:
        if self.name:
            self.seconds[self.name] = round(time.perf_counter() - self.began, 1)
            self.name = ''
        return self.seconds


def _place_labels(
    embedding: np.ndarray,
    clusters: np.ndarray,
    named: dict[int, str],
    regions: Regions | None,
) -> np.ndarray:
    """Return the label of each place: a person's, else that of its cluster."""
    labels = (regions or Regions()).apply(embedding, clusters, named)
    if not (labels != UNLABELLED).any():
        msg = 'the regions leave every place unlabelled; name some of them'
        raise RegionsError(msg)
    return labels.astype('U12')


def _warn_of_missing(counts: Counter[str]) -> None:
    """Say which of the report's classes were not found."""
    for name in REPORT_CLASSES:
        if counts[name] >= _FEW:
            continue
        found = f'only {counts[name]} labels' if counts[name] else 'no label'
        msg = (
            f'{found} of class {name}: a network trained on this dataset does not '
            'learn it. Take other or more exposures, or look at page.html and name '
            'the clusters with --regions'
        )
        warnings.warn(msg, AstrosieveWarning, stacklevel=3)
