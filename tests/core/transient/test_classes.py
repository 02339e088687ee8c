"""Tests of the classes of candidates."""

from __future__ import annotations

from astrosieve.transient.classes import CLASSES, REAL_KINDS, SURVEY_CLASSES, is_real


def test_the_survey_has_ten_classes_of_which_saturated_stars_are_not_real():
    """The table of the work is followed; its grouping uses our names."""
    assert len(SURVEY_CLASSES) == 10
    bogus = {name for name, each in SURVEY_CLASSES.items() if not each.real}
    assert bogus == {'artifact', 'dipole', 'saturated star'}
    assert {each.three for each in SURVEY_CLASSES.values()} == {
        'real',
        'artefact',
        'dipole',
    }


def test_kinds_of_real_candidates_are_classes():
    """A network may tell them apart, or say real alone."""
    assert set(REAL_KINDS) < set(CLASSES)
    assert is_real(('real', 'bogus')) == [True, False]
    assert is_real(('moving', 'dipole')) == [True, False]
