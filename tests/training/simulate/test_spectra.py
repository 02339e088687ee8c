"""Simulated spectrographs and their raw frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from astrosieve_training.simulate.spectra import (
    FAMILIES,
    FRAME_TYPES,
    ORIENTATIONS,
    Spectrograph,
    random_spectrograph,
    scenes,
    simulate_frame,
    write_frame,
)
from astrosieve_training.simulate.spectra.layouts import barred
from astrosieve_training.simulate.spectra.oddities import ODDITIES, altered, corrupt
from astrosieve_training.simulate.spectra.optics import Beam
from astrosieve_training.simulate.spectra.quirks import Quirks, draw_quirks
from astrosieve_training.simulate.spectra.readout import expose, layout, read_out
from astrosieve_training.simulate.spectra.scenes import KINDS
from astrosieve_training.simulate.spectra.spectrographs import Slit
from astrosieve_training.simulate.spectra.tables import lines


def plain(**changes: object) -> Spectrograph:
    """Return a long slit without tilt, trimmed, quiet and small."""
    base = random_spectrograph(1, families=('long_slit',), infrared=False)
    detector = {
        'gain': 1.0, 'read_noise': 3.0, 'full_well': 1e5, 'pedestal': 1000.0,
        'ceiling': 65535.0, 'amplifiers': (1, 1), 'overscan': 0, 'prescan': 0,
        'overscan_rows': 0, 'trimmed': False, 'subtracted': False, 'number': 'uint16',
        'dark': 0.0, 'hot_share': 0.0, 'bad_columns': 0, 'structure': 0.0, 'glow': 0.0,
        'response': 0.0, 'read_time': 0.0, 'quirks': Quirks(),
    }  # fmt: skip
    optics = {
        'orientation': 'x+', 'shape': (160, 600), 'binning': (1, 1), 'lsf': 1.0,
        'slit_width': 2.0, 'seeing': 4.0, 'scatter': 0.0, 'ghost': 0.0, 'fringes': 0.0,
        'band': (4000.0, 8200.0), 'peak': 6000.0, 'breadth': 4000.0, 'wings': 0.0,
        'lamps': ('Ne',), 'arc_rate': 1000.0, 'flat_rate': 1000.0, 'sky_rate': 0.05,
        'slits': (Slit(80.0, 60.0, (0.0, 0.0), (6100.0, 1200.0)),),
    }  # fmt: skip
    ccd = {k: v for k, v in changes.items() if k in detector or k.startswith('cosmic')}
    rest = {k: v for k, v in changes.items() if k not in ccd}
    return replace(
        base, ccd=replace(base.ccd, **{**detector, **ccd}), **{**optics, **rest}
    )


def light(frame: object) -> np.ndarray:
    """Return a frame's counts above the pedestal of `plain`."""
    return frame.data.astype(float) - 1000


def test_same_seeds_give_the_same_frame_and_others_another():
    """Spectrographs and frames are fixed by their seeds."""
    assert random_spectrograph(7) == random_spectrograph(7)
    assert random_spectrograph(7) != random_spectrograph(8)
    a, b = (simulate_frame(plain(), 'science', 3) for _ in range(2))
    np.testing.assert_array_equal(a.data, b.data)
    assert a.header == b.header
    assert not np.array_equal(a.data, simulate_frame(plain(), 'science', 4).data)


def test_families_are_drawn_and_can_be_held_back():
    """All layouts and orientations occur; one that is held back does not."""
    drawn = [random_spectrograph(s) for s in range(60)]
    assert {s.family for s in drawn} == set(FAMILIES)
    assert {s.orientation for s in drawn} == set(ORIENTATIONS)
    kept = FAMILIES[:2]
    assert {random_spectrograph(s, families=kept).family for s in range(20)} == set(
        kept
    )
    with pytest.raises(ValueError, match='families must be some of'):
        random_spectrograph(0, families=('grism',))


def test_lines_are_at_their_wavelengths():
    """The brightest lines of an arc peak where the solution puts neon's."""
    spectrograph = plain()
    data = light(simulate_frame(spectrograph, 'arc', 1, exptime=10.0))
    profile = np.median(data[60:100], axis=0)
    peaks = np.argsort(profile)[-3:]
    wave = spectrograph.slits[0].wavelength(peaks, 600)
    where, _ = lines('Ne')
    assert np.abs(where[:, None] - wave).min(axis=0).max() < 5.0  # a pixel has 4


@pytest.mark.parametrize('infrared', [False, True])
def test_lamps_have_lines_where_the_spectrograph_looks(infrared):
    """Each spectrograph gets lamps with several lines in its band."""
    for seed in range(12):
        spectrograph = random_spectrograph(seed, infrared=infrared)
        where = np.concatenate([lines(e)[0] for e in spectrograph.lamps])
        low, high = spectrograph.band
        assert ((where > low) & (where < high)).sum() > 3


def test_line_width_is_that_of_the_optics():
    """A line is as wide as slit and optics make it."""
    spectrograph = plain(lsf=2.5, slit_width=1.0)
    beam = Beam(spectrograph)
    spike = np.zeros(len(beam.wave))
    spike[len(spike) // 2] = 1
    spread = beam.smear(spike)
    x = np.arange(len(spread)) / beam.steps
    middle = (x * spread).sum() / spread.sum()
    sigma = np.sqrt((spread * (x - middle) ** 2).sum() / spread.sum())
    assert sigma == pytest.approx(np.hypot(2.5, 1 / np.sqrt(12)), rel=0.03)


@pytest.mark.parametrize('orientation', ORIENTATIONS)
def test_orientation_turns_the_spectrum(orientation):
    """The cut-off of a red filter shows where wavelengths end."""
    shape = (160, 600) if orientation[0] == 'x' else (600, 160)
    spectrograph = plain(orientation=orientation, shape=shape, band=(5900.0, 8200.0))
    data = light(simulate_frame(spectrograph, 'flat', 1, kind='lamp', exptime=5.0))
    along = np.median(data, axis=0 if orientation[0] == 'x' else 1)
    blue, red = (along[50:200], along[-200:-50])
    if orientation[1] == '-':
        blue, red = red, blue
    assert np.median(red) > 500
    assert abs(np.median(blue)) < 20


def test_slit_ends_and_curves_where_its_geometry_says():
    """No light beside the slit; a bent slit is off its row at the ends."""
    slit = Slit(80.0, 20.0, (0.0, 12.0), (6100.0, 1200.0))
    spectrograph = plain(slits=(slit,))
    data = light(simulate_frame(spectrograph, 'flat', 1, kind='lamp', exptime=5.0))
    rows = np.arange(160)
    for column, row in ((300, 80.0), (60, 80 + 12 * (2 * 60 / 599 - 1) ** 2)):
        cut = np.clip(np.median(data[:, column - 5 : column + 6], axis=1), 0, None)
        assert (rows * cut).sum() / cut.sum() == pytest.approx(row, abs=1.0)
        assert cut[: int(row) - 25].max() < 0.02 * cut.max()


def test_tilted_lines_follow_their_slope():
    """A line of a tilted slit moves along the dispersion with the row."""
    slit = Slit(80.0, 60.0, (0.0, 0.0), (6100.0, 1200.0), tilt=0.1)
    data = light(simulate_frame(plain(slits=(slit,)), 'arc', 1, exptime=10.0))
    low, high = (np.median(data[r : r + 5], axis=0) for r in (48, 108))
    lag = np.argmax(np.correlate(high, low, 'full')) - 599
    assert lag == pytest.approx(6, abs=1)


def test_bias_has_no_light_and_its_noise():
    """A bias is the pedestal and the read noise."""
    data = light(simulate_frame(plain(), 'bias', 1))
    assert np.median(data) == pytest.approx(0, abs=0.5)
    assert data.std() == pytest.approx(3.0, rel=0.25)


def test_overscan_shows_the_pedestal_only():
    """Columns without light stay at the level of a bias beside a bright flat."""
    spectrograph = plain(overscan=30, prescan=10, overscan_rows=8, amplifiers=(1, 2))
    frame = simulate_frame(spectrograph, 'flat', 1, kind='lamp', exptime=20.0)
    rows, columns = frame.truth.rows, frame.truth.columns
    assert frame.data.shape == (168, 680)
    np.testing.assert_array_equal(layout(spectrograph.ccd, (160, 600))[1], columns)
    dark = frame.data[:, columns < 0].astype(float)
    lit = frame.data[rows >= 0][:, columns >= 0].astype(float)
    assert np.median(lit[60:100]) > 3000
    for half in (columns[: len(columns) // 2] < 0, columns[len(columns) // 2 :] < 0):
        assert half.any()
    assert np.ptp([np.median(dark[:, i]) for i in range(dark.shape[1])]) < 400
    assert dark.max() < 1600


def test_trimmed_frames_show_lit_pixels_only():
    """A trimmed frame has the shape of its lit pixels."""
    spectrograph = plain(overscan=30, trimmed=True)
    assert simulate_frame(spectrograph, 'bias', 1).data.shape == (160, 600)


def test_light_grows_with_the_exposure():
    """Twice the time, twice the electrons."""
    once, twice = (
        np.median(light(simulate_frame(plain(), 'arc', 1, exptime=t))[60:100], axis=0)
        for t in (5.0, 10.0)
    )
    bright = once > 500
    assert bright.any()
    assert np.median(twice[bright] / once[bright]) == pytest.approx(2, rel=0.05)


def test_gain_divides_the_electrons():
    """Two electrons per ADU give half the counts."""
    electrons = np.full((40, 400), 10_000.0, np.float32)
    counts = [
        np.median(read_out(electrons, plain(gain=g), 1.0, np.random.default_rng(1)))
        for g in (1.0, 2.0)
    ]
    ratio = (counts[0] - 1000) / (counts[1] - 1000)
    assert ratio == pytest.approx(2, rel=0.01)


def test_cosmic_rays_come_with_time():
    """Ten times the dark time, ten times the hits; none in a bias."""
    spectrograph = plain(cosmic_ray_rate=1.0)
    hit = [
        (
            light(simulate_frame(spectrograph, 'dark', 1, exptime=t, kind='dark')) > 40
        ).sum()
        for t in (30.0, 300.0)
    ]
    assert 5 < hit[1] / hit[0] < 20
    assert not (light(simulate_frame(spectrograph, 'bias', 1)) > 40).any()


def test_pixels_are_hit_while_they_are_read():
    """A bias that takes a minute to read has the hits of half a minute."""
    slow = plain(cosmic_ray_rate=1.0, read_time=60.0)
    hit = np.zeros(2)
    for seed in range(8):
        frames = (
            simulate_frame(slow, 'bias', seed),
            simulate_frame(slow, 'dark', seed, exptime=270.0, kind='dark'),
        )
        hit += [(light(frame) > 40).sum() for frame in frames]
    assert 5 < hit[1] / hit[0] < 20


@pytest.mark.parametrize(
    ('make', 'kind'), [(scenes.science, 'bright'), (scenes.standard, 'night')]
)
def test_others_stand_in_a_long_slit(make, kind, monkeypatch):
    """Beside a star, where there is room, and fainter; its own light is the same."""
    lit = []
    for seed in range(4):
        rows = []
        for share in (-1.0, 1.0):
            monkeypatch.setattr(scenes, '_ACCOMPANIED', share)
            scene = make(plain(), np.random.default_rng(seed), 60.0, kind)
            rows.append(scene.rate.mean(axis=1))
        more = rows[1] - rows[0]
        assert more.min() > -1e-6
        assert 0 < more.max() < 0.5 * rows[0].max()
        lit.append(int(np.argmax(more)))
    assert len(set(lit)) > 1


def test_hot_pixels_stay_and_grow():
    """Hot pixels are the same in each dark, and brighter in a longer one."""
    spectrograph = plain(hot_share=2e-3, cosmic_ray_rate=0.0)
    spectrograph = replace(spectrograph, ccd=replace(spectrograph.ccd, hot_rate=2.0))
    short, long = (
        light(simulate_frame(spectrograph, 'dark', s, exptime=t, kind='dark'))
        for s, t in ((1, 200.0), (2, 600.0))
    )
    hot = short > 100
    assert hot.sum() > 50
    assert np.median(long[hot] / short[hot]) == pytest.approx(3, rel=0.1)


def test_saturation_bleeds_along_columns():
    """Charge above full well runs up and down its column, and is not lost."""
    rate = np.zeros((160, 600), np.float32)
    rate[80, 300] = 5e5
    spectrograph = plain(cosmic_ray_rate=0.0)
    image = expose(rate, spectrograph, 0.0, np.random.default_rng(1))
    assert image.max() <= 1e5
    assert (image[78:83, 300] > 9e4).all()
    assert image[:, 300].sum() == pytest.approx(5e5, rel=0.01)
    assert abs(image[:, 301]).max() < 1


def test_unsigned_numbers_read_as_signed_wrap():
    """Above 32,767 an int16 frame is negative."""
    electrons = np.full((20, 400), 40_000.0, np.float32)
    data = read_out(electrons, plain(number='int16'), 1.0, np.random.default_rng(1))
    assert data.dtype == np.int16
    assert (data < 0).all()


def test_lines_begin_with_a_transient():
    """It is as high as said, and has decayed by e after its length."""
    frame = simulate_frame(plain(quirks=Quirks(line_start=(800.0, 20.0))), 'bias', 1)
    columns = light(frame).mean(axis=0)
    assert columns[0] == pytest.approx(800, rel=0.02)
    assert columns[20] == pytest.approx(800 / np.e, rel=0.03)
    assert abs(columns[300:].mean()) < 2
    rows = light(simulate_frame(
        plain(quirks=Quirks(frame_start=(800.0, 20.0))), 'bias', 1
    )).mean(axis=1)  # fmt: skip
    assert rows[0] == pytest.approx(800, rel=0.02)


def test_bias_ramps():
    """The level rises over the amplifier by what is said."""
    frame = simulate_frame(plain(quirks=Quirks(ramp=(100.0, 0.0))), 'bias', 1)
    rows = light(frame).mean(axis=1)
    assert rows[-1] - rows[0] == pytest.approx(100, abs=3)


def test_archives_keep_other_units():
    """Electrons are ADU times the gain, and rates those over the time."""
    electrons = np.full((20, 400), 5000.0, np.float32)
    rng = [np.random.default_rng(1) for _ in range(3)]
    trait = {'gain': 2.0, 'subtracted': True, 'number': 'float32'}
    adu, counts, rates = (
        np.median(
            read_out(electrons, plain(**trait, quirks=Quirks(unit=unit)), 50.0, r)
        )
        for unit, r in zip(('adu', 'electron', 'electron/s'), rng, strict=True)
    )
    assert counts == pytest.approx(2 * adu, rel=0.05)
    assert rates == pytest.approx(counts / 50)


def test_borders_and_gaps_hold_no_data():
    """The file has one value there, whatever was read."""
    quirks = Quirks(border=(3, 65535.0), gap=(11, 0.0))
    data = simulate_frame(plain(quirks=quirks), 'flat', 1).data
    assert (data[:3, :200] == 65535).all()
    assert (data[:, -3:] == 65535).all()
    middle = data.shape[1] // 2
    assert (data[:, middle - 5 : middle + 6] == 0).all()
    assert (data[3:-3, middle + 7] > 0).all()


def test_charge_comes_late_and_crosses_over():
    """What is lost comes afterwards; the mirror image is faint."""
    electrons = np.zeros((80, 60), np.float32)
    electrons[10, 20] = 10_000
    late = Quirks(trail=(0.1, 5.0)).late(electrons)
    assert late[10, 20] == pytest.approx(9000, rel=0.05)
    assert late[11, 20] > late[16, 20] > 0
    assert late.sum() == pytest.approx(10_000, rel=0.01)
    assert (late[:10] == 0).all()
    mixed = Quirks(crosstalk=1e-3).mixed(electrons, (1, 2))
    assert mixed[10, 39] == pytest.approx(10)
    assert np.array_equal(Quirks(crosstalk=1e-3).mixed(electrons, (1, 1)), electrons)


def test_traits_are_drawn_of_all_kinds():
    """Most detectors have few of them, all occur, and whole numbers have no NaN."""
    rng = np.random.default_rng(5)
    drawn = [
        draw_quirks(rng, 4.0, real_numbers=False, subtracted=False) for _ in range(400)
    ]
    plainest = Quirks()
    for trait in ('line_start', 'frame_start', 'ramp', 'trail', 'crosstalk', 'border',
                  'gap', 'dead_amplifier'):  # fmt: skip
        share = np.mean([getattr(q, trait) != getattr(plainest, trait) for q in drawn])
        assert 0.01 < share < 0.5, trait
    assert not any(np.isnan([q.border[1], q.gap[1]]).any() for q in drawn)
    assert {q.unit for q in drawn} == {'adu'}


def test_standards_are_bright_and_science_is_under_a_sky():
    """The star of a standard stands out; its sky is that of a short exposure."""
    spectrograph = plain()
    for seed in range(3):
        frame = simulate_frame(spectrograph, 'standard', seed, kind='night')
        assert frame.truth.exptime <= 300
        across = np.median(light(frame)[:, 250:350], axis=1)
        assert across.max() > 60
        frame = simulate_frame(
            spectrograph, 'science', seed, kind='faint', exptime=2000.0
        )
        across = np.median(light(frame)[:, 250:350], axis=1)
        assert np.median(across[60:100]) > 10


def test_bright_objects_are_exposed_as_briefly_as_standards():
    """Most for no longer than a standard; their light has the same range."""
    spectrograph = plain()
    times = [
        simulate_frame(spectrograph, 'science', seed, kind='bright').truth.exptime
        for seed in range(30)
    ]
    assert 0.5 < np.mean(np.array(times) <= 300) < 0.95
    assert 4 <= min(times) < 30
    assert max(times) <= 900


def test_dead_lamps_and_open_shutters_are_not_what_the_header_says():
    """The truth is what the image shows, the header what was wanted."""
    frame = simulate_frame(plain(), 'arc', 1, fault='dead lamp', exptime=5.0)
    assert (frame.truth.frame_type, frame.truth.intended) == ('bias', 'arc')
    assert frame.header['OBSTYPE'] == 'arc'
    assert np.median(light(frame)) == pytest.approx(0, abs=1)
    frame = simulate_frame(plain(), 'bias', 1, fault='shutter open')
    assert frame.truth.frame_type == 'unknown'
    assert np.median(light(frame)) > 20
    with pytest.raises(ValueError, match='does not happen to a bias'):
        simulate_frame(plain(), 'bias', 1, fault='dead lamp')


def test_a_star_off_the_slit_is_at_its_end():
    """A wrongly centred slit leaves the star at an end of it."""
    spectrograph = plain()
    frame = simulate_frame(
        spectrograph, 'standard', 1, kind='night', fault='off the slit'
    )
    across = np.median(light(frame)[:, 250:350], axis=1)
    assert abs(np.argmax(across) - 80) > 50


def test_headers_say_what_was_done():
    """Exposure time, lamps and shutter are there."""
    frame = simulate_frame(plain(), 'arc', 1, exptime=7.0)
    assert frame.header['EXPTIME'] == 7.0
    assert frame.header['LAMPS'] == 'Ne'
    assert frame.header['SHUTTER'] == 'open'
    assert simulate_frame(plain(), 'bias', 1).header['EXPTIME'] == 0


def test_written_frames_are_read_back(tmp_path):
    """A file has the same numbers and header, and is not written over unasked."""
    frame = simulate_frame(plain(), 'flat', 1)
    path = tmp_path / 'flat.fits'
    write_frame(frame, path)
    np.testing.assert_array_equal(fits.getdata(path), frame.data)
    assert fits.getheader(path)['OBSTYPE'] == 'flat'
    with pytest.raises(OSError, match='exists'):
        write_frame(frame, path)


@pytest.mark.parametrize(
    ('frame_type', 'kind'),
    [(t, k) for t, kinds in KINDS.items() for k in kinds]
    + [('unknown', k) for k in ODDITIES],
)
def test_each_kind_can_be_asked_for(frame_type, kind):
    """Each kind gives a frame and says which it is."""
    frame = simulate_frame(plain(), frame_type, 2, kind=kind)
    assert frame.truth.kind == kind
    assert np.ptp(frame.data.astype(float)) > 0


def test_what_shows_nothing_is_contested():
    """A frame whose light drowns in the noise says what it could as well be."""
    spectrograph = plain()
    faint = simulate_frame(spectrograph, 'science', 2, kind='faint', exptime=0.1)
    assert faint.truth.contested == 'bias'
    assert simulate_frame(spectrograph, 'dark', 2, exptime=0.1).truth.contested
    for frame_type in ('bias', 'arc', 'flat', 'standard'):
        assert not simulate_frame(spectrograph, frame_type, 2).truth.contested
    hit = plain(cosmic_ray_rate=1.0)
    assert not simulate_frame(hit, 'dark', 2, exptime=600.0).truth.contested
    truths = [
        simulate_frame(spectrograph, 'science', s, kind='bright', exptime=20.0).truth
        for s in range(16)
    ]
    assert {truth.contested for truth in truths} == {'', 'standard'}


def test_corruption_that_changes_nothing():
    """A broken frame that looks like a whole one is contested."""
    whole = np.random.default_rng(1).normal(100, 5, (60, 80))
    broken = whole.copy()
    assert not altered(whole, broken)
    broken[:8] = 0
    assert altered(whole, broken)


def test_bytes_of_negative_numbers_are_swapped():
    """Frames without their pedestal have numbers below 0, and borders none."""
    data = np.tile(np.array([-3.0, np.nan, 258.0], np.float32), (60, 4))
    swapped = [corrupt(data, 'corrupted', np.random.default_rng(s)) for s in range(12)]
    expected = np.array([65023.0, 0.0, 513.0], np.float32)  # 0xfffd, 0, 0x0102
    assert any(np.array_equal(each, np.tile(expected, (60, 4))) for each in swapped)


@pytest.mark.parametrize(('tilt', 'curve'), [(0.1, 0.0), (0.0, 1e-3), (0.05, -5e-4)])
def test_bars_leave_the_lines_where_they_were(tilt, curve):
    """Of a slit with bars each part shows the lines of the whole one."""
    whole = Slit(80.0, 60.0, (0.0, 0.0), (6100.0, 1200.0), tilt, curve)
    parts = barred(np.random.default_rng(1), whole, 160)
    assert len(parts) in (2, 3)
    several = simulate_frame(plain(slits=parts), 'arc', 1, kind='lamps', exptime=1.0)
    one = simulate_frame(plain(slits=(whole,)), 'arc', 1, kind='lamps', exptime=1.0)
    seen = np.zeros(160, bool)
    for part in parts:
        rows = np.arange(round(part.centre - part.half), round(part.centre + part.half))
        seen[rows[3:-3]] = True
        for row in rows[[4, -5]]:
            x = [int(np.argmax(light(frame)[row])) for frame in (several, one)]
            assert abs(x[0] - x[1]) <= 1
    edges = np.flatnonzero(np.diff(seen.astype(int)))
    bars = [np.mean(each) for each in edges[1:-1].reshape(-1, 2)]
    brightest = light(one).max()
    for bar in bars:
        assert light(several)[round(bar) + 1].max() < 0.05 * brightest


@pytest.mark.parametrize('frame_type', ['science', 'standard'])
def test_an_object_is_in_one_part_of_a_slit(frame_type):
    """Behind bars stand other parts of the sky."""
    slits = tuple(
        Slit(centre, 30.0, (0.0, 0.0), (6100.0, 1200.0)) for centre in (40.0, 120.0)
    )
    lit = []
    for seed in range(8):
        kind = {'science': 'bright', 'standard': 'night'}[frame_type]
        frame = simulate_frame(plain(slits=slits), frame_type, seed, kind=kind)
        rows = light(frame)[:, 200:400].mean(axis=1)
        level = [float(np.ptp(part)) for part in (rows[20:60], rows[100:140])]
        lit.append(int(np.argmax(level)))
        assert min(level) < 0.3 * max(level)
    assert set(lit) == {0, 1}


def test_chips_are_apart():
    """Between chips, along either axis, stands what the archive puts there."""
    data = np.ones((120, 240), np.float32)
    pasted = Quirks(gap=(6, 0.0), chips=(2, 3)).archived(data)
    empty = pasted == 0
    assert np.flatnonzero(empty.all(axis=1)).tolist() == [*range(57, 63)]
    columns = np.flatnonzero(empty.all(axis=0)).tolist()
    assert columns == [*range(77, 83), *range(157, 163)]


def test_unknown_types_and_kinds_are_named():
    """Wrong names say which there are."""
    with pytest.raises(ValueError, match='frame_type must be one of bias'):
        simulate_frame(plain(), 'lamp', 1)
    with pytest.raises(ValueError, match='a flat frame is one of lamp'):
        simulate_frame(plain(), 'flat', 1, kind='sky')
    with pytest.raises(ValueError, match='an unknown frame is one of'):
        simulate_frame(plain(), 'unknown', 1, kind='sky')


def _simulate_all(seeds: range) -> None:
    for seed in seeds:
        spectrograph = random_spectrograph(seed)
        if max(spectrograph.shape) > 1500 and seed % 5:
            continue
        for frame_type in FRAME_TYPES:
            frame = simulate_frame(spectrograph, frame_type, seed)
            assert frame.data.shape == (len(frame.truth.rows), len(frame.truth.columns))
            assert np.isfinite(frame.data).all(), (seed, frame_type)


def test_all_types_of_some_spectrographs():
    """Whatever is drawn, each type of frame is made."""
    _simulate_all(range(6))


@pytest.mark.slow
def test_all_types_of_many_spectrographs():
    """Whatever is drawn, each type of frame is made."""
    _simulate_all(range(6, 150))
