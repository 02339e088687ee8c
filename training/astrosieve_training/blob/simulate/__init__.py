"""The monitor of blobs, simulated: differences, images of the dark Earth, files."""

from __future__ import annotations

from astrosieve_training.blob.simulate.difference import (
    SimulatedDifference,
    simulate_difference,
)
from astrosieve_training.blob.simulate.monitor import SimulatedImage, simulate_monitor
from astrosieve_training.blob.simulate.monitor_files import write_monitor

__all__ = [
    'SimulatedDifference',
    'SimulatedImage',
    'simulate_difference',
    'simulate_monitor',
    'write_monitor',
]
