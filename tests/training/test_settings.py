"""Settings of toys: what a file may say, what a dataclass obeys, what is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

from astrosieve_training.settings import (
    ConfigError,
    Count,
    NotNegative,
    Positive,
    Rule,
    Settings,
    Share,
    at_least,
    between,
    build_dataclass,
    load_dataclass,
    not_known,
    one_of,
    require,
)


@dataclass(frozen=True)
class Wheel(Settings):
    """Of a toy."""

    radius: Positive = 1.0
    spokes: tuple[Count, ...] = (3, 3)


@dataclass(frozen=True)
class Toy(Settings):
    """A toy."""

    name: str
    colour: Annotated[str, one_of('red', 'blue')] = 'red'
    size: Annotated[tuple[int, int], Rule('even', lambda s: sum(s) % 2 == 0)] = (2, 2)
    wear: Share = 0.0
    age: NotNegative = 0.0
    speed: Annotated[float, between(0, 10)] = 1.0
    doors: Annotated[int, at_least(2)] = 2
    loud: bool = False
    wheel: Wheel = field(default_factory=Wheel)
    spare: Wheel | None = None
    wheels: tuple[Wheel, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.age <= 100 or not self.loud, 'loud', self.loud, 'false when old')


def load(folder: Path, text: str) -> Toy:
    path = folder / 'toy.toml'
    path.write_text(text, encoding='utf-8')
    return load_dataclass(Toy, path, name='car')


def test_file_becomes_dataclass(tmp_path: Path) -> None:
    """Tables, lists of tables and tuples; integers serve as numbers."""
    toy = load(
        tmp_path,
        'size = [3, 5]\nage = 2\n[wheel]\nspokes = [1]\n[[wheels]]\n[[wheels]]\n'
        'radius = 2\n',
    )
    assert toy == Toy(
        'car', size=(3, 5), age=2.0, wheel=Wheel(spokes=(1,)),
        wheels=(Wheel(), Wheel(2.0)),
    )  # fmt: skip
    assert isinstance(toy.age, float)
    assert load(tmp_path, "name = 'bus'").name == 'bus'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('colr = "red"', "unknown key 'colr'; did you mean 'colour'? Known: name, co"),
        ('[wheel]\nradios = 1', "unknown key 'wheel.radios'; did you mean 'radius'?"),
        ('[[wheels]]\n[[wheels]]\nx = 1', "unknown key 'wheels[1].x'. Known: radius, "),
        ('colour = "green"', "colour must be one of 'red', 'blue'; got 'green'"),
        ('colour = 1', 'colour must be a string; got 1'),
        ('size = [1]', 'size must have 2 values; got [1]'),
        ('size = 1', 'size must be a list; got 1'),
        ('size = [1, 2]', 'size must be even; got (1, 2)'),
        ('size = [1, 2.5]', 'size[1] must be an integer; got 2.5'),
        ('wear = 1.1', 'wear must be a share between 0 and 1; got 1.1'),
        ('age = nan', 'age must be 0 or more; got nan'),
        ('age = inf', 'age must be 0 or more; got inf'),
        ('age = true', 'age must be a number; got True'),
        ('speed = 10', 'speed must be above 0 and below 10; got 10.0'),
        ('doors = 1', 'doors must be 2 or more; got 1'),
        ('loud = 1', 'loud must be bool; got 1'),
        ('loud = true\nage = 101', 'loud must be false when old; got True'),
        ('wheel = 1', 'wheel must be a table; got 1'),
        ('[wheel]\nradius = 0', 'wheel.radius must be positive; got 0.0'),
        ('[spare]\nradius = -1', 'spare.radius must be positive; got -1.0'),
        ('[wheel]\nspokes = [1, 0]', 'wheel.spokes[1] must be 1 or more; got 0'),
        ('[[wheels]]\nradius = 0', 'wheels[0].radius must be positive; got 0.0'),
        ('age = = 1', 'not valid TOML'),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    """File, key, rule and value are named."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f'{tmp_path / "toy.toml"}: ')
    assert message in str(caught.value)


def test_rules_hold_without_a_file() -> None:
    """A dataclass that is made by hand obeys too."""
    with pytest.raises(ConfigError, match=r'^doors must be 2 or more; got 0$'):
        Toy('car', doors=0)
    with pytest.raises(ConfigError, match=r'^spokes\[0\] must be 1 or more; got -1$'):
        Wheel(spokes=(-1,))


def test_missing_key_and_file(tmp_path: Path) -> None:
    """What has no default must be there; so must the file."""
    with pytest.raises(ConfigError, match=r"^'toy\.name' is missing$"):
        build_dataclass(Toy, {}, 'toy')
    with pytest.raises(ConfigError, match=r'none\.toml: cannot be read'):
        load_dataclass(Toy, tmp_path / 'none.toml')


def test_none_as_json_keeps_it() -> None:
    """What may be missing may be None."""
    assert build_dataclass(Toy, {'name': 'car', 'spare': None}, '').spare is None


def test_not_known() -> None:
    """The nearest is named, if one is near, and all."""
    assert not_known('no toy', 'cat', ['car', 'bus']) == (
        "no toy 'cat'; did you mean 'car'? Known: car, bus"
    )
    assert not_known('no toy', 'xyz', ['car']) == "no toy 'xyz'. Known: car"
