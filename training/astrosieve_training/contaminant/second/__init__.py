"""
A second generator of images with the truth of every pixel, apart from the first.

Networks are judged on its images and none learns from them. It therefore shares no code
with ``astrosieve_training.contaminant.simulate`` or ``astrosieve_training.simulate``,
whose images networks learn from: what both got wrong in the same way would be taken for
a virtue of the network. It knows the classes, numpy and scipy, and nothing else.

An image goes the way of light: through the optics to the sky's scene, then to the
defects and the charge of the detector, and at last through its electronics. Each class
is true by what it adds or takes away, in electrons, against the noise of what else is
in the pixel.
"""

from astrosieve_training.contaminant.second.images import (
    INSTRUMENTS,
    SecondImage,
    second_image,
)

__all__ = ['INSTRUMENTS', 'SecondImage', 'second_image']
