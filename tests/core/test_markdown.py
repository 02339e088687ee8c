"""Tables as Markdown."""

from __future__ import annotations

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share


def test_table_has_a_line_for_each_row() -> None:
    """A line for the head, one below it, one for each row; cells become text."""
    assert markdown_table(('fruit', 'n'), [('apple', 3), ('pear', Share(1, 4))]) == [
        '| fruit | n |',
        '| --- | --- |',
        '| apple | 3 |',
        '| pear | 25.00% (4.56% to 69.94%; 1/4) |',
    ]
