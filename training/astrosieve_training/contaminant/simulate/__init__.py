"""Images of many instruments, simulated with the truth of every pixel."""

from astrosieve_training.contaminant.simulate.image import (
    SimulatedImage,
    SimulationSettings,
    make_image,
    simulated_image,
)
from astrosieve_training.contaminant.simulate.instruments import (
    FAMILIES,
    JUDGED_FAMILIES,
    TRAINED_FAMILIES,
)
from astrosieve_training.contaminant.simulate.real import REAL_JUDGED

__all__ = [
    'FAMILIES',
    'JUDGED_FAMILIES',
    'REAL_JUDGED',
    'TRAINED_FAMILIES',
    'SimulatedImage',
    'SimulationSettings',
    'make_image',
    'simulated_image',
]
