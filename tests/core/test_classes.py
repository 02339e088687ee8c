"""Sets of classes: order, names, colours and shapes."""

from __future__ import annotations

import pytest

from astrosieve.classes import CONVENTIONS, UNSCORED, ClassInfo, ClassSet, Marker

FRUIT = ClassSet(
    [
        ClassInfo(
            'pear',
            'pears',
            'grows on a tree',
            Marker('#00ff00', 'o', 'circle', '#0000ff'),
            ink='#008000',
        ),
        ClassInfo('cherry', 'cherries', 'comes in twos', Marker('#ff0000', 'x', 'x')),
    ]
)


def test_a_set_is_a_mapping_in_order() -> None:
    """Names come in the order of the definition, each with its entry."""
    assert list(FRUIT) == list(FRUIT.names) == ['pear', 'cherry']
    assert len(FRUIT) == 2
    assert 'pear' in FRUIT
    assert UNSCORED not in FRUIT
    assert FRUIT['cherry'].meaning == 'comes in twos'
    assert FRUIT.plural('cherry') == 'cherries'
    with pytest.raises(KeyError, match='plum'):
        FRUIT.plural('plum')


def test_order_of_what_was_found() -> None:
    """The set's own come first, strangers in alphabetical order, unscored last."""
    found = [UNSCORED, 'plum', 'cherry', 'apple', 'cherry']
    assert FRUIT.ordered(found) == ['cherry', 'apple', 'plum', UNSCORED]
    assert FRUIT.ordered([]) == []


def test_markers() -> None:
    """Shapes are the same in each convention; strangers share a marker."""
    pear = FRUIT.marker('pear')
    assert FRUIT.marker('pear', 'colour-blind') == Marker('#0000ff', 'o', 'circle')
    assert pear.color == '#00ff00'
    assert FRUIT.marker('cherry', 'colour-blind') == FRUIT.marker('cherry')
    strangers = {FRUIT.marker(name, c) for name in ('plum', 'fig') for c in CONVENTIONS}
    assert len(strangers) == 1
    assert FRUIT.marker(UNSCORED) not in strangers
    with pytest.raises(ValueError, match='convention must be one of report'):
        FRUIT.marker('pear', 'neon')


def test_ink_is_the_marker_s_unless_said() -> None:
    """A colour that is too pale on paper has another there."""
    assert (FRUIT.ink('pear'), FRUIT.ink('cherry')) == ('#008000', '#ff0000')


def test_names_differ() -> None:
    """No two classes have one name, and none is called unscored."""
    with pytest.raises(ValueError, match='names of classes must differ'):
        ClassSet([FRUIT['pear'], FRUIT['pear']])
    nothing = ClassInfo(UNSCORED, 'none', 'nothing', Marker('#000000', '.', 'x'))
    with pytest.raises(ValueError, match=f"none be '{UNSCORED}'"):
        ClassSet([nothing])


def test_table_of_the_classes() -> None:
    """The documentation's table says each class, and what unscored means."""
    lines = FRUIT.document().splitlines()
    assert lines[2] == '| `pear` | grows on a tree |'
    assert len(lines) == 5
    assert lines[-1].startswith(f'| `{UNSCORED}` |')
