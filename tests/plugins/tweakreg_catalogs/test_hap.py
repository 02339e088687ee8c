"""
The place of HAP's cosmic-ray cut, in the pipeline's own code.

drizzlepac's HAP code up to 3.11 needs photutils 2.3; with photutils 3 it breaks by
itself. The tests that run it are left out then: they want an environment of their own,
which ``.ci/hap`` makes.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from photutils.segmentation import SourceCatalog, detect_sources

from astrosieve.exceptions import AstrosieveError
from astrosieve_plugins.tweakreg_catalogs import classify_sources, filtered_hap


def matched(table_xy: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return which places have a row within two pixels."""
    return np.hypot(*(table_xy[:, None] - places[None]).transpose(2, 0, 1)).min(0) < 2


@pytest.fixture
def segments(star_field: Any) -> SourceCatalog:
    """Segments of stars and of hits."""
    data = star_field.data
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            image = detect_sources(data, 25.0, n_pixels=1)
        except TypeError:
            image = detect_sources(data, 25.0, npixels=1)
        return SourceCatalog(data, image)


class TestFunction:
    """``classify_sources(catalog, fwhm)``, as HAP calls it."""

    def test_one_keeps_stars(
        self, segments: SourceCatalog, star_field: Any, tiny_model: Path
    ) -> None:
        """1 for segments of stars, 0 for hits and the rest; one number a segment."""
        kept = classify_sources(segments, 2.4, model=str(tiny_model), unit='electron')
        assert kept.dtype == np.int32
        assert len(kept) == len(segments.labels)
        centres = np.array([s.bbox.center[::-1] for s in segments])
        assert set(kept.tolist()) == {0, 1}
        assert matched(centres[kept == 1], star_field.stars).all()
        assert not matched(centres[kept == 1], star_field.hits).any()
        assert matched(centres[kept == 0], star_field.hits).all()

    def test_range_of_rows(self, segments: SourceCatalog, tiny_model: Path) -> None:
        """``sources`` chooses rows."""
        options = {'model': str(tiny_model), 'unit': 'electron'}
        every = classify_sources(segments, 2.4, **options)
        assert np.array_equal(
            classify_sources(segments, 2.4, (3, 9), **options), every[3:9]
        )

    def test_other_catalogues_are_refused(self, tiny_model: Path) -> None:
        """Something that is no catalogue of segments is named, with the cure."""
        with pytest.raises(AstrosieveError, match=r'photutils\.segmentation'):
            classify_sources(SimpleNamespace(), 2.4, model=str(tiny_model))


@pytest.mark.hap
class TestPipeline:
    """In ``drizzlepac.haputils``."""

    @pytest.fixture
    def hap(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return pytest.importorskip('drizzlepac.haputils.astrometric_utils')

    def test_extract_sources(self, hap: Any, star_field: Any, tiny_model: Path) -> None:
        """Its catalogue holds the stars; what was there before comes back."""
        original = hap.classify_sources
        arguments = {
            'fwhm': 2.4,
            'segment_threshold': np.full(star_field.data.shape, 25.0),
            'source_box': 1,
            'kernel': np.ones((1, 1)),
        }
        with (
            filtered_hap(model=str(tiny_model), unit='electron'),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter('ignore')
            assert hap.classify_sources is not original
            table, _, dqmap = hap.extract_sources(
                star_field.data, centering_mode='segmentation', **arguments
            )
        assert hap.classify_sources is original
        xy = np.column_stack([table['xcentroid'], table['ycentroid']])
        assert matched(xy, star_field.stars).all()
        assert not matched(xy, star_field.hits).any()
        rows, columns = star_field.hits[:, 1].astype(int), star_field.hits[:, 0]
        assert (dqmap[rows, columns.astype(int)] == hap.CRBIT).all()

    def test_restores_after_an_error(self, hap: Any, tiny_model: Path) -> None:
        """Whatever happens."""
        original = hap.classify_sources
        with pytest.raises(ZeroDivisionError), filtered_hap(model=str(tiny_model)):
            raise ZeroDivisionError
        assert hap.classify_sources is original

    def test_says_when_it_has_moved(
        self, hap: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message names it."""
        monkeypatch.delattr(hap, 'classify_sources')
        with (
            pytest.raises(
                AstrosieveError, match=r'astrometric_utils\.classify_sources'
            ),
            filtered_hap(),
        ):
            pass
