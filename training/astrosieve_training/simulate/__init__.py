"""Simulated exposures with the truth of every pixel and source."""

from astrosieve_training.simulate.cameras import (
    Camera,
    PSFConfig,
    build_psf,
    list_cameras,
    load_camera,
    random_camera,
)
from astrosieve_training.simulate.cosmic_rays import CosmicRayTemplates
from astrosieve_training.simulate.exposure import (
    SimulatedExposure,
    simulate_dithered_set,
    simulate_exposure,
)
from astrosieve_training.simulate.scene import PRESETS, SceneConfig, vary_scene
from astrosieve_training.simulate.truth import (
    COMPONENTS,
    Truth,
    label_positions,
    read_truth,
)

__all__ = [
    'COMPONENTS',
    'PRESETS',
    'Camera',
    'CosmicRayTemplates',
    'PSFConfig',
    'SceneConfig',
    'SimulatedExposure',
    'Truth',
    'build_psf',
    'label_positions',
    'list_cameras',
    'load_camera',
    'random_camera',
    'read_truth',
    'simulate_dithered_set',
    'simulate_exposure',
    'vary_scene',
]
