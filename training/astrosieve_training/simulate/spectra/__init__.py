"""
Spectrographs that do not exist, and the raw frames that they write.

`random_spectrograph` draws one: its layout, optics, lamps and detector.
`simulate_frame` exposes a bias, dark, arc, flat, science frame or standard with it, or
something that is none of them.
"""

from astrosieve_training.simulate.spectra.drawing import random_spectrograph
from astrosieve_training.simulate.spectra.frames import (
    FAULTS,
    FRAME_TYPES,
    FrameTruth,
    SimulatedFrame,
    simulate_frame,
    write_frame,
)
from astrosieve_training.simulate.spectra.spectrographs import (
    FAMILIES,
    ORIENTATIONS,
    Spectrograph,
)

__all__ = [
    'FAMILIES',
    'FAULTS',
    'FRAME_TYPES',
    'ORIENTATIONS',
    'FrameTruth',
    'SimulatedFrame',
    'Spectrograph',
    'random_spectrograph',
    'simulate_frame',
    'write_frame',
]
