"""Plans of exposures, and what is simulated by them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from astrosieve_training.settings import Natural, Positive, Rule, Settings
from astrosieve_training.simulate.cameras import Camera, load_camera, random_camera
from astrosieve_training.simulate.chips import Effect, Stream
from astrosieve_training.simulate.effects import EFFECTS, cosmic_rays, foreign_hits
from astrosieve_training.simulate.exposure import (
    SimulatedExposure,
    simulate_dithered_set,
)
from astrosieve_training.simulate.scene import PRESETS, vary_scene
from astrosieve_training.versions import code_version, digest

__all__ = [
    'ExposurePlan',
    'ExposureSet',
    'exposure_key',
    'plan_camera',
    'simulate_plan',
]

# Streams of chance beside those of the exposure itself.
_CAMERA, _SCENE = 77, 78

_FILLED = Rule('a list, not empty', bool)
_SHAPE = Rule(
    'two integers, 64 or more',
    lambda shape: shape == (0, 0) or (len(shape) == 2 and min(shape) >= 64),
)


@dataclass(frozen=True)
class ExposurePlan:
    """
    One exposure to simulate: with the code's version, all that decides its pixels.

    Parameters
    ----------
    camera, scene : str
        Camera (name or file, or 'random' for one drawn by the seed) and scene preset.
    exptime : float
        Seconds; 0 for the camera's usual one.
    seed : int
        Seed of everything random in it.
    shape : tuple of int
        ``(ny, nx)`` of the chip; ``(0, 0)`` for the camera's own.
    vary : bool
        Whether the scene's densities and the exposure time are drawn about the given
        ones.
    hits : str
        Whose hits are added, see
        `~astrosieve_training.simulate.effects.foreign_hits`; empty for none.
    judged_hits : bool
        Whether these are hits that are kept for judging, and the only ones.
    """

    camera: str
    scene: str
    exptime: float
    seed: int
    shape: tuple[int, int]
    vary: bool = False
    hits: str = ''
    judged_hits: bool = False

    @property
    def label(self) -> str:
        """Short name, for files and tables."""
        return f'{Path(self.camera).stem}-{self.scene}-{self.seed}'

    @property
    def effects(self) -> tuple[tuple[Effect, int], ...]:
        """What makes its chips."""
        if not self.hits:
            return EFFECTS
        added = partial(foreign_hits, source=self.hits, judged=self.judged_hits)
        at = next(i for i, (each, _) in enumerate(EFFECTS) if each is cosmic_rays)
        own = () if self.judged_hits else EFFECTS[at : at + 1]
        others = ((added, Stream.FOREIGN_HITS),)
        return (*EFFECTS[:at], *own, *others, *EFFECTS[at + 1 :])


@dataclass(frozen=True)
class ExposureSet(Settings):
    """
    A set of exposures, spread evenly over cameras, scenes and exposure times.

    Parameters
    ----------
    name : str
        What tables call the set.
    n : int
        Number of exposures.
    seed : int
        Exposure i has the seed ``seed + i``; sets must not share seeds.
    cameras, scenes : tuple of str
        Cameras (names or files, or 'random') and scene presets.
    exptimes : tuple of float
        Exposure times, seconds; empty for the cameras' usual ones.
    shape : tuple of int
        ``(ny, nx)``; ``(0, 0)`` for the cameras' own.
    use_dq : tuple of bool
        Whether pixels that DQ calls without signal are filled; taken in turn.
    vary : bool
        Whether each scene's densities and exposure time are drawn about the given
        ones.
    thin : int
        Largest number of detections of a class that an exposure gives, drawn at
        random from one detection per pixel; 0 for all.
    places : int
        Number of places, drawn at random, that each exposure gives besides what
        finders find.
    hits : tuple of str
        Whose hits are added, see `ExposurePlan`; taken in turn.
    judged_hits : bool
        See `ExposurePlan`.
    """

    n: Natural
    seed: Natural
    cameras: Annotated[tuple[str, ...], _FILLED]
    name: str = 'set'
    scenes: Annotated[tuple[str, ...], _FILLED] = ('globular',)
    exptimes: tuple[Positive, ...] = ()
    shape: Annotated[tuple[int, int], _SHAPE] = (1024, 1024)
    use_dq: Annotated[tuple[bool, ...], _FILLED] = (True,)
    vary: bool = False
    thin: Natural = 0
    places: Natural = 0
    hits: Annotated[tuple[str, ...], _FILLED] = ('',)
    judged_hits: bool = False

    @property
    def seeds(self) -> range:
        """Seeds of the exposures."""
        return range(self.seed, self.seed + self.n)

    @property
    def origin(self) -> str:
        """How many exposures there are, and of which seeds, as tables say it."""
        last = self.seed + self.n - 1
        return f'{self.n} exposures, seeds {self.seed} to {last}'

    def plans(self) -> list[ExposurePlan]:
        """
        Return the exposures of the set.

        Returns
        -------
        plans : list of `ExposurePlan`
            Each camera in turn; scenes and times are dealt out so that each camera
            meets each of them as evenly as ``n`` allows.
        """
        rng = np.random.default_rng(self.seed)
        decks: dict[str, list[tuple[str, float]]] = {}
        times = self.exptimes or (0.0,)
        plans = []
        for i in range(self.n):
            camera = self.cameras[i % len(self.cameras)]
            deck = decks.setdefault(camera, [])
            if not deck:
                pairs = [(scene, time) for scene in self.scenes for time in times]
                deck.extend(pairs[j] for j in rng.permutation(len(pairs)))
            scene, exptime = deck.pop()
            plan = ExposurePlan(
                camera, scene, exptime, self.seed + i, self.shape, self.vary,
                self.hits[i % len(self.hits)], self.judged_hits,
            )  # fmt: skip
            plans.append(plan)
        return plans


def plan_camera(plan: ExposurePlan) -> Camera:
    """
    Return the camera of a plan.

    Parameters
    ----------
    plan : `ExposurePlan`
        The plan.

    Returns
    -------
    camera : `~astrosieve_training.simulate.cameras.Camera`
        Drawn by the plan's seed where that says 'random'.
    """
    if plan.camera == 'random':
        return random_camera(np.random.default_rng([plan.seed, _CAMERA]))
    return load_camera(plan.camera)


def exposure_key(plan: ExposurePlan) -> str:
    """
    Return a hash of all that decides an exposure.

    Parameters
    ----------
    plan : `ExposurePlan`
        The plan.

    Returns
    -------
    key : str
        Of the plan, its camera's settings, and the code that simulates.
    """
    return digest(plan, plan_camera(plan), code_version(sys.modules[__name__]))


def simulate_plan(plan: ExposurePlan, n: int = 1) -> list[SimulatedExposure]:
    """
    Simulate what a plan says.

    Parameters
    ----------
    plan : `ExposurePlan`
        The plan.
    n : int, optional
        Dithered exposures of its field.

    Returns
    -------
    exposures : list of `~astrosieve_training.simulate.SimulatedExposure`
    """
    camera = plan_camera(plan)
    exptime = plan.exptime or camera.exptime
    scene = PRESETS[plan.scene]
    if plan.vary:
        rng = np.random.default_rng([plan.seed, _SCENE])
        scene = vary_scene(scene, rng)
        exptime *= float(10 ** rng.uniform(-0.7, 0.3))
    return simulate_dithered_set(
        camera,
        n,
        seed=plan.seed,
        shape=plan.shape if plan.shape != (0, 0) else None,
        scene=scene,
        exptime=exptime,
        effects=plan.effects,
    )
