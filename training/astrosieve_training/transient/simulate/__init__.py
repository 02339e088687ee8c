"""
Candidates as a difference-imaging pipeline makes them.

Search and template exposures of one field, each with its PSF, depth and registration,
are subtracted by a fitted kernel (Alard & Lupton 1998, ApJ 503, 325) or properly
(Zackay, Ofek & Gal-Yam 2016, ApJ 830, 27); a matched filter finds what is left.
"""

from astrosieve_training.transient.simulate.bands import (
    BandCandidates,
    make_band_candidates,
)
from astrosieve_training.transient.simulate.candidates import (
    Candidates,
    make_candidates,
)
from astrosieve_training.transient.simulate.files import write_candidates
from astrosieve_training.transient.simulate.rows import joined
from astrosieve_training.transient.simulate.surveys import HELD_BACK, SURVEYS

__all__ = [
    'HELD_BACK',
    'SURVEYS',
    'BandCandidates',
    'Candidates',
    'joined',
    'make_band_candidates',
    'make_candidates',
    'write_candidates',
]
