"""The documentation says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from astrosieve.source.command import classify
from astrosieve.source.flags import CLASS_FLAGS

ROOT = Path(__file__).parents[2]


def test_the_table_of_flags_is_the_code_s() -> None:
    """docs/classify.md holds the table that the flags print of themselves."""
    text = (ROOT / 'docs' / 'classify.md').read_text(encoding='utf-8')
    assert CLASS_FLAGS.document() in text


def test_documented_options_exist() -> None:
    """Each option named in docs/classify.md is one of `astrosieve classify`."""
    text = (ROOT / 'docs' / 'classify.md').read_text(encoding='utf-8')
    options = {o for p in classify.params for o in (*p.opts, *p.secondary_opts)}
    named = set(re.findall(r'`(--[a-z-]+)', text)) - {'--help'}
    assert len(named) > 10
    assert sorted(named - options) == []


def test_documented_options_of_the_training_exist() -> None:
    """Each option named in docs/labels.md is one of a step that it is about."""
    from astrosieve_training.source.commands import source

    text = (ROOT / 'docs' / 'labels.md').read_text(encoding='utf-8')
    steps = ('simulate', 'label', 'train', 'evaluate')
    options = {
        option
        for step in steps
        for parameter in source.commands[step].params
        for option in parameter.opts
    } | {'--model'}  # of astrosieve classify
    named = set(re.findall(r'[` ](--[a-z][a-z-]*)', text))
    assert len(named) > 10
    assert sorted(named - options) == []
