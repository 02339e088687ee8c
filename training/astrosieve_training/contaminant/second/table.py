"""The twelve instruments, and the two scenes that each takes turns over."""

from __future__ import annotations

from astrosieve_training.contaminant.second.instruments import (
    Chip,
    GroundOptics,
    Instrument,
    Scene,
    SpaceOptics,
    Vanes,
)

__all__ = ['TABLE']

TABLE = {
    'wfc3-uvis': Instrument(
        'thin CCDs of HST, full of tracks, charge left behind on the way out',
        SpaceOptics('hst', 1.25, 0.15, 0.42, 45),
        Chip(
            1.56, 3.1, 68000, 16, 15, 0.3, (0.93, 0.03, 0.03, 0.01),
            converter=65535, orbit=True, trailing=0.06, bleeds=True,
        ),
        (
            Scene(
                (512, 512), 'DN', 2560, 1200, 45, 260, 0.62, (30, 4), 45, 900, 220, 40,
                hot_columns=2, bad_columns=1, amplifiers=2, reflections=(('chain', 4),),
            ),
            Scene(
                (448, 600), 'electron', 0, 700, 18, 90, 0.5, (90, 2), 60, 560, 300, 20,
                trails=(('curved', 5),), reflections=(('ring', 2),),
                nebulae=(('filaments', 4),),
            ),
        ),
    ),
    'wfpc2': Instrument(
        'undersampled CCD of HST whose converter ends before its wells are full',
        SpaceOptics('hst', 0.85, 0.15, 0.3, 38),
        Chip(
            7.0, 5.3, 90000, 10, 15, 0.22, (0.94, 0.02, 0.03, 0.01),
            converter=4095, orbit=True, trailing=0.05, bleeds=True,
        ),
        (
            Scene(
                (400, 320), 'DN', 350, 900, 40, 600, 0.6, (12, 3), 10, 380, 90, 12,
                bad_columns=1, reflections=(('arc', 3),),
            ),
            Scene(
                (400, 400), 'DN', 310, 600, 25, 70, 0.6, (5,), 8, 260, 120, 8,
                hot_columns=1, nebulae=(('shell', 22),), pyramid=True,
            ),
        ),
    ),
    'wfc3-ir': Instrument(
        'HgCdTe array of HST: persistence of spectra, many bad pixels',
        SpaceOptics('hst', 1.0, 0.18, 0.2, 45),
        Chip(
            2.4, 12, 75000, 6, 18, 0.12, (0.9, 0.05, 0.05, 0),
            orbit=True, coupling=0.016,
        ),
        (
            Scene(
                (507, 507), 'electron/s', 0, 603, 480, 120, 0.55, (4, 2), 110, 110, 260,
                260, clusters=1, persistence=(('blobs', 7), ('spectra', 3)),
                row_noise=0.15,
            ),
            Scene(
                (420, 507), 'electron/s', 0, 253, 330, 80, 0.5, (10,), 80, 60, 160, 200,
                clusters=1, persistence=(('spectra', 6),), trails=(('curved', 8),),
                reflections=(('disc', 2),),
            ),
        ),
    ),
    'nircam': Instrument(
        'HgCdTe array of JWST: hexagonal spikes, snowballs, stripes',
        SpaceOptics('jwst', 1.55, 0.14, 0.25, 0),
        Chip(
            1.9, 9, 58000, 6, 18, 0.12, (0.9, 0.05, 0.05, 0),
            orbit=True, coupling=0.006,
        ),
        (
            Scene(
                (600, 600), 'electron/s', 0, 860, 260, 90, 0.45, (60, 6), 160, 90, 120,
                160, snowballs=2, amplifiers=4, row_noise=0.35,
                persistence=(('blobs', 6),),
            ),
            Scene(
                (512, 440), 'DN/s', 0.4, 430, 400, 420, 0.6, (25, 8), 30, 70, 150, 150,
                snowballs=1, bad_rows=2, row_noise=0.3, nebulae=(('emission', 14),),
            ),
        ),
    ),
    'euclid-vis': Instrument(
        'CCDs of Euclid, 40 micrometres thick, six spikes',
        SpaceOptics('euclid', 1.25, 0.25, 0.4, 10),
        Chip(
            3.5, 3.7, 190000, 40, 12, 0.35, (0.93, 0.03, 0.03, 0.01),
            converter=65535, orbit=True, trailing=0.03, bleeds=True,
        ),
        (
            Scene(
                (640, 576), 'DN', 2000, 565, 150, 180, 0.55, (25, 3), 220, 420, 50, 30,
                bad_columns=1, amplifiers=2, reflections=(('ring', 3),),
            ),
            Scene(
                (560, 560), 'electron', 0, 565, 130, 110, 0.5, (70, 5), 160, 380, 60,
                20, hot_columns=1, trails=(('steady', 4),), nebulae=(('cirrus', 2.5),),
            ),
        ),
    ),
    'decam': Instrument(
        'fully depleted CCDs on the Blanco: worms, fringes, tree rings',
        GroundOptics(3.9, 3.2, Vanes((45, 135), 0.004, 22)),
        Chip(
            4.2, 7, 170000, 250, 15, 0.5, (0.5, 0.3, 0.17, 0.03),
            converter=60000, bleeds=True,
        ),
        (
            Scene(
                (576, 640), 'DN', 1320, 200, 19000, 260, 0.6, (40, 3), 70, 75, 30, 15,
                bad_columns=2, amplifiers=2, trails=(('steady', 3),), fringes=(1.3, 7),
                overscan=50, tree_rings=True,
            ),
            Scene(
                (512, 600), 'DN', 0, 90, 1400, 300, 0.6, (90, 8), 60, 55, 25, 15,
                hot_columns=1, bad_columns=1, amplifiers=2, trails=(('tumbling', 9),),
                reflections=(('large', 1.2), ('pupil', 3)), fwhm=4.4,
            ),
        ),
    ),
    'lsst': Instrument(
        'CCDs of Rubin, 100 micrometres thick: satellites out of focus',
        GroundOptics(3.8, 3.0, Vanes((40, 130), 0.005, 30)),
        Chip(
            1.6, 6, 110000, 100, 10, 0.45, (0.65, 0.22, 0.12, 0.01),
            converter=200000, bleeds=True,
        ),
        (
            Scene(
                (640, 512), 'DN', 21000, 30, 900, 400, 0.62, (60, 6), 120, 30, 30, 20,
                bad_columns=2, bad_rows=1, amplifiers=4, trails=(('defocused', 11),),
                persistence=(('trail', 1.6),),
            ),
            Scene(
                (600, 560), 'electron', 0, 30, 5200, 220, 0.6, (25,), 90, 26, 20, 20,
                hot_columns=1, amplifiers=4, trails=(('defocused', 3),),
                reflections=(('pupil', 1.5),), fringes=(0.45, 9),
            ),
        ),
    ),
    'ztf': Instrument(
        'CCDs of a wide survey on Palomar, sharp stars, aircraft',
        GroundOptics(2.1, 2.8, Vanes((0, 90), 0.006, 25)),
        Chip(
            6.2, 10, 330000, 40, 15, 0.35, (0.75, 0.15, 0.1, 0),
            converter=58000, bleeds=True,
        ),
        (
            Scene(
                (576, 576), 'DN', 0, 30, 2200, 1200, 0.7, (40, 10, 4), 30, 40, 60, 30,
                bad_columns=2, trails=(('aircraft', 14),), reflections=(('disc', 4),),
                fringes=(1.1, 5),
            ),
            Scene(
                (512, 480), 'DN', 1010, 30, 1500, 500, 0.65, (15, 5), 40, 30, 50, 30,
                hot_columns=1, amplifiers=2, trails=(('segment', 6), ('steady', 1.2)),
                reflections=(('ring', 3),), fringes=(0.55, 6),
            ),
        ),
    ),
    'small-cmos': Instrument(
        'CMOS camera on a small telescope: flickering pixels, rows, no bleeds',
        GroundOptics(2.7, 3.0, Vanes((12, 102), 0.012, 16), vignetted=True),
        Chip(
            0.8, 1.6, 51000, 5, 3.76, 0.4, (0.75, 0.1, 0.15, 0),
            converter=65535, telegraph=True,
        ),
        (
            Scene(
                (480, 640), 'DN', 500, 120, 320, 700, 0.65, (20, 6, 3), 25, 18, 450, 30,
                row_noise=0.25, trails=(('steady', 6), ('steady', 2)),
                reflections=(('pupil', 2),), nebulae=(('emission', 5),),
            ),
            Scene(
                (400, 600), 'DN', 1000, 60, 140, 400, 0.65, (10,), 40, 10, 350, 20,
                bad_rows=1, dust=2, row_noise=0.4, trails=(('aircraft', 25),),
                fwhm=2.2, coma=0.25,
            ),
        ),
    ),
    'amateur-ccd': Instrument(
        'uncooled CCD of an amateur: hot columns, dust, a dome in the way',
        GroundOptics(3.0, 2.8, Vanes((5, 95), 0.012, 14), vignetted=True),
        Chip(
            0.4, 8.5, 25500, 10, 5.4, 0.4, (0.7, 0.15, 0.12, 0.03),
            converter=65535, bleeds=True,
        ),
        (
            Scene(
                (512, 640), 'DN', 1100, 300, 700, 500, 0.65, (25, 4), 15, 25, 380, 40,
                hot_columns=3, bad_columns=1, dust=3, trails=(('meteor', 12),),
                nebulae=(('reflection', 6),), shade=True, ellipticity=0.15,
            ),
            Scene(
                (420, 560), 'DN', 980, 600, 1800, 350, 0.65, (12, 3), 20, 35, 500, 30,
                hot_columns=2, bad_rows=2, dust=2, persistence=(('blobs', 4),),
                nebulae=(('emission', 9),), gain=1.4, ellipticity=0.1, spikes=False,
            ),
        ),
    ),
    'near-ir': Instrument(
        'HgCdTe array on a 2.5 m telescope: bright sky, dithers that persist',
        GroundOptics(2.6, 2.8, Vanes((0, 90), 0.006, 18)),
        Chip(
            5.0, 14, 140000, 6, 18, 0.12, (0.8, 0.1, 0.1, 0),
            converter=60000, coupling=0.02, quadrants=True,
        ),
        (
            Scene(
                (512, 512), 'DN', 640, 20, 24000, 160, 0.6, (5, 2), 25, 22, 350, 400,
                clusters=2, bad_columns=1, bad_rows=1, amplifiers=4, row_noise=0.15,
                persistence=(('dithers', 6), ('blobs', 3)), fringes=(0.7, 4),
                hatching=True,
            ),
            Scene(
                (448, 512), 'DN', 0, 60, 9000, 220, 0.6, (8, 3), 20, 18, 300, 300,
                clusters=1, hot_columns=1, amplifiers=4, row_noise=0.25,
                reflections=(('disc', 3), ('arc', 1.2)),
                persistence=(('trail', 2.5), ('blobs', 6)), gain=8.0, fwhm=3.3,
                coma=0.2,
            ),
        ),
    ),
    'guider': Instrument(
        'small guide camera, its converter of 14 bits, a ripple, stars out of focus',
        GroundOptics(5.2, 2.8, Vanes((45, 135), 0.004, 10), vignetted=True),
        Chip(
            1.8, 6.5, 40000, 15, 13, 0.35, (0.75, 0.12, 0.13, 0),
            converter=16383, bleeds=True,
        ),
        (
            Scene(
                (256, 256), 'DN', 300, 5, 60, 25, 0.5, (3,), 3, 6, 120, 15,
                hot_columns=2, bad_columns=1, bad_rows=2, pattern=0.5,
                trails=(('segment', 7),),
            ),
            Scene(
                (256, 320), 'DN', 500, 10, 500, 30, 0.5, (6,), 4, 8, 160, 20,
                hot_columns=1, bad_columns=1, bad_rows=1, pattern=0.35,
                trails=(('defocused', 7),), defocus=9, spikes=False,
            ),
        ),
    ),
}  # fmt: skip
"""By name; the order is that of turns."""
