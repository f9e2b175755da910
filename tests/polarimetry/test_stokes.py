from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from vampires.errors import PolarimetryError
from vampires.mueller.model import LightPathAngles, MuellerModel
from vampires.polarimetry.inversion import difference_set, reduce_set
from vampires.polarimetry.leastsq import camera_gains, invert
from vampires.polarimetry.modulation import response_matrix
from vampires.polarimetry.photometry import Polarisation
from vampires.polarimetry.planes import PRODUCTS, azimuth, azimuthal_stokes
from vampires.polarimetry.stokes import StokesFrame

# The toy has no tertiary mirror.
REAL = MuellerModel.from_table("750-50", "EMCCD").with_parameters({"m3_diattenuation": 0.0})
CASES = {
    "ideal": ("IDEAL", MuellerModel(), 45.0),
    "tabulated": ("REAL", REAL, 45.0),
    "achromatic FLC": ("IDEAL", MuellerModel(flc_switch=43.0), 43.0),
}


def disk_errors(frame, scene):
    """Largest error of I_Q, I_U, Q, U over the star's peak."""
    truth = scene[[0, 0, 1, 2]]
    return np.nanmax(np.abs(frame.data[0] - truth), axis=(1, 2)) / scene[0].max()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("solve", [reduce_set, invert])
def test_noiseless_sky_comes_back_exactly(toy, case, solve):
    parts, model, switch = CASES[case]
    scene = toy.sky(star_q=0.01, star_u=-0.02)
    images = toy.Night(getattr(toy, parts), scene, switch=switch)()
    assert np.all(disk_errors(solve(images, model), scene) < 1e-6)


@pytest.mark.parametrize("solve", [reduce_set, invert])
def test_arbitrary_field_rotation(toy, solve):
    """Polarised flux of the ring to 1 %, its angle to 1 deg."""
    scene = toy.sky(61)
    images = toy.Night(toy.REAL, scene, derotang=(63.0, 60.5, 58.0, 55.5))()
    p = solve(images, REAL).products()
    true, _ = azimuthal_stokes(scene[1], scene[2], azimuth((61, 61)))
    r = np.hypot(*(np.mgrid[:61, :61] - 30))
    ring = (r > 6) & (r < 17)
    assert p["Q_PHI"][0][ring].sum() == pytest.approx(true[ring].sum(), rel=0.01)
    assert np.abs(p["U_PHI"][0][ring]).max() < 0.01 * true.max()
    aolp = np.degrees(0.5 * np.arctan2(scene[2], scene[1]))
    bright = true > 0.5 * true.max()
    turn = (p["AOLP"][0] - aolp + 90) % 180 - 90
    assert np.abs(turn[bright]).max() < 1


@pytest.mark.parametrize("flcs", ["A", ("NA",)])
def test_double_difference_without_switching(toy, flcs):
    scene = toy.sky(star_q=0.01)
    frame = reduce_set(toy.Night(toy.REAL, scene, flcs=tuple(flcs))(), REAL)
    # Without the FLC there is no "FLC" in the row; with state A alone there is.
    assert frame.header["METHOD"] == "doublediff"
    assert np.all(disk_errors(frame, scene) < 1e-6)


def test_one_camera_is_a_polarimeter_of_its_own(toy):
    scene = toy.sky(star_u=0.02)
    images = [i for i in toy.Night(toy.REAL, scene)() if i.header["U_CAMERA"] == 2]
    assert np.all(disk_errors(reduce_set(images, REAL), scene) < 1e-6)


def test_several_files_per_angle_are_weighed_by_time(toy):
    scene = toy.sky(star_q=0.01)
    once = toy.Night(toy.REAL, scene)()
    longer = [replace(i, header=i.header.copy(), data=3 * i.data) for i in once]
    for image in longer:
        image.header["TINT"] = 3 * once[0].header["TINT"]
    frame = reduce_set([*once, *longer], REAL)
    assert np.all(disk_errors(frame, scene * (1 + 3 * 3) / 4) < 1e-6)
    # One angle in one file, the others in two: still Q and U, at the mean of the fluxes.
    alike = [replace(i, header=i.header.copy()) for i in once if i.header["RET-ANG1"] != 45.0]
    assert np.all(disk_errors(reduce_set([*once, *alike], REAL), scene) < 1e-6)


def test_without_correction_q_and_u_are_still_on_the_sky(toy):
    scene = toy.sky()
    images = toy.Night(toy.REAL, scene)()
    frame = reduce_set(images, REAL, mm_correct=False)
    assert frame.header["MMCORR"] is False
    assert "geometry only" in frame.header["MMSOURCE"]
    p = frame.products()
    true, _ = azimuthal_stokes(scene[1], scene[2], azimuth(frame.shape))
    assert 0.6 < p["Q_PHI"].sum() / true.sum() < 1.05
    ideal = reduce_set(toy.Night(toy.IDEAL, scene)(), MuellerModel(), mm_correct=False)
    assert np.all(disk_errors(ideal, scene) < 1e-6)


def test_camera_throughput_and_seeing_cancel(toy):
    """Cameras differing by 15 %, brightness by 20 % between exposures of a cycle."""
    scene = toy.sky()
    seeing = np.array([[1.0, 1.0], [0.9, 0.9], [1.1, 1.1], [1.0, 1.0]])
    images = toy.Night(toy.IDEAL, scene, gains=(0.92, 1.08))(seeing=seeing)
    data = reduce_set(images, MuellerModel()).data[0]
    # no polarisation arises from unpolarised starlight
    assert np.abs(data[2:, 20, 20]).max() < 1e-6 * data[0, 20, 20]


def test_mueller_correction_takes_out_instrumental_polarisation(toy):
    scene = toy.sky(contrast=0.0)
    parts = toy.REAL | {"m3": (0.48, 0.02, 3.0)}
    model = REAL.with_parameters(
        {"m3_retardance": 0.48, "m3_diattenuation": 0.02, "m3_offset": 3.0}
    )
    frame = difference_set(toy.Night(parts, scene)())
    raw = frame.correct(REAL).polarisation(8.0)[0]
    corrected = frame.correct(model).polarisation(8.0)[0]
    assert raw.degree > 1e-3
    assert np.hypot(corrected.q, corrected.u) < 1e-6


def test_star_polarisation_is_measured_and_can_be_subtracted(toy):
    q, u = 0.02 * np.cos(np.radians(60)), 0.02 * np.sin(np.radians(60))
    scene = toy.sky(contrast=0.0, star_q=q, star_u=u)
    rng = np.random.default_rng(1)
    frame = reduce_set(toy.Night(toy.REAL, scene)(rng, 4.0), REAL)
    (p,) = frame.polarisation(8.0)
    assert p.degree == pytest.approx(0.02, abs=0.001)
    assert p.angle == pytest.approx(30, abs=2)
    assert abs(p.q - q) < 4 * p.q_err
    assert p.q_err < 1e-3
    clean = frame.subtract_ip(p)
    assert clean.polarisation(8.0)[0].degree < 1e-6
    assert clean.header["IPQ"] == pytest.approx(p.q, rel=1e-5)
    assert clean.errors()["Q"].max() > frame.errors()["Q"].max()
    np.testing.assert_array_equal(clean.data[:, :2], frame.data[:, :2])
    halo = frame.polarisation(10.0, 18.0)[0]
    assert halo.q == pytest.approx(q, abs=5 * halo.q_err)


def test_user_given_polarisation(toy):
    frame = reduce_set(toy.Night(toy.IDEAL, toy.sky())(), MuellerModel())
    out = frame.subtract_ip(Polarisation(0.01, -0.02))
    np.testing.assert_allclose(
        out.data[0, 3], frame.data[0, 3] + 0.02 * frame.data[0, 1], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("solve", "derotang"),
    [
        (reduce_set, (90.0, 90.0, 180.0, 180.0)),
        (reduce_set, (31.0, 30.0, 29.0, 28.0)),
        (invert, (31.0, 30.0, 29.0, 28.0)),
    ],
)
def test_error_planes_agree_with_the_scatter(toy, solve, derotang):
    """200 noise realisations; every plane to 5 %, where the first-order errors hold."""
    rng = np.random.default_rng(5)
    images = toy.Night(toy.REAL, toy.sky(21, contrast=0.1), derotang=derotang)(None, 1.0)
    frames = [solve(toy.with_noise(images, rng, 1.0), REAL) for _ in range(200)]
    planes = {k: np.array([f.products()[k][0] for f in frames]) for k in PRODUCTS}
    errors = frames[0].errors()
    r = np.hypot(*(np.mgrid[:21, :21] - 10))
    ring = (r > 6) & (r < 9)
    planes["AOLP"] = (planes["AOLP"] - planes["AOLP"][0] + 90) % 180 - 90
    for name, stack in planes.items():
        scatter = np.sqrt(stack[:, ring].var(axis=0, ddof=1).mean())
        expected = np.sqrt((errors[name][0][ring] ** 2).mean())
        assert scatter == pytest.approx(expected, rel=0.05), name


def test_masters_errors_cancel_in_q_and_u_but_not_in_i(toy):
    """100 draws of master noise that all images of a camera share; the field turns slowly."""
    rng = np.random.default_rng(6)
    nothing = np.zeros((3, 31, 31))
    images = toy.Night(toy.REAL, nothing, derotang=(90.0,) * 4)(
        None, 0.0, (np.zeros((2, 31, 31)), 1.0)
    )
    frames = []
    for _ in range(100):
        maps = rng.normal(0, 1, (2, 1, 31, 31)).astype(np.float32)
        shared = [replace(i, data=maps[i.header["U_CAMERA"] - 1]) for i in images]
        frames.append(reduce_set(shared, REAL))
    errors = frames[0].errors()
    for k, name in enumerate(("I_Q", "I_U")):
        scatter = np.array([f.data[0, k] for f in frames]).std(axis=0).mean()
        assert scatter == pytest.approx(errors[name].mean(), rel=0.05)
    for k, name in ((2, "Q"), (3, "U")):
        scatter = np.array([f.data[0, k] for f in frames]).std(axis=0).mean()
        assert scatter < 0.05
        assert errors[name].mean() < 0.05


def test_rotating_a_frame_turns_its_polarisation(toy):
    frame = reduce_set(toy.Night(toy.IDEAL, toy.sky())(), MuellerModel())
    turned = frame.rotate(90.0)
    before, after = frame.products(), turned.products()
    before["Q_PHI"][0, 20, 20] = after["Q_PHI"][0, 20, 20]  # no azimuth in the centre
    np.testing.assert_allclose(after["Q_PHI"][0], np.rot90(before["Q_PHI"][0], -1), atol=2e-4)
    np.testing.assert_allclose(turned.rotate(-90.0).data, frame.data, atol=1e-3)
    east = WCS(frame.header, fix=False).pixel_to_world(0, 20)
    assert east.separation(WCS(turned.header, fix=False).pixel_to_world(20, 0)).mas < 0.1


def test_in_the_pupil_frame_the_ring_is_still_azimuthal(toy):
    images = toy.Night(toy.REAL, toy.sky(), derotang=(90.0,) * 4)()
    north_up, pupil = reduce_set(images, REAL), reduce_set(images, REAL, turn=False)
    expected = np.rot90(north_up.products()["Q_PHI"][0])
    got = pupil.products()["Q_PHI"][0]
    got[20, 20] = expected[20, 20]
    np.testing.assert_allclose(got, expected, atol=2e-4)
    assert "CTYPE1" not in pupil.header


def test_the_header_tells_what_went_in(toy):
    frame = reduce_set(toy.Night(toy.REAL, toy.sky())(), REAL)
    h = frame.header
    assert (h["TINT"], h["NCOADD"], h["NIMAGES"]) == (400.0, 800, 16)
    assert h["MJD-END"] - h["MJD-STR"] == pytest.approx((3 * 75 + 70) / 86400)
    assert h["METHOD"] == "triplediff"
    assert h["MMCORR"] is True
    assert h["MMSOURCE"].startswith("tabulated 750-50")
    assert 0.5 < h["EFFQ"] < 1
    assert "U_CAMERA" not in h
    wcs = WCS(h, fix=False)
    star = wcs.pixel_to_world(20, 20)
    assert star.ra.deg == pytest.approx(73.941025)
    assert wcs.pixel_to_world(20, 30).dec > star.dec
    assert wcs.pixel_to_world(10, 20).ra > star.ra


def test_the_wcs_of_cameras_that_differ_in_scale(toy):
    """North up, east left, at the mean scale of the cameras; nothing left of the raw WCS."""
    images = toy.Night(toy.REAL, toy.sky(), scales=(5.91, 5.895))()
    for image in images:
        image.header.update({"CTYPE1B": "RA---TAN", "WCSNAMEB": "NA", "CDELT1": 1.0, "NFRAMES": 7})
    header = reduce_set(images, REAL).header
    wcs = WCS(header, fix=False)
    scales = 3.6e6 * np.array(proj_plane_pixel_scales(wcs))
    np.testing.assert_allclose(scales, (5.91 + 5.895) / 2, rtol=1e-9)
    star, north, east = (wcs.pixel_to_world(x, y) for x, y in ((20, 20), (20, 30), (10, 20)))
    assert star.dec.deg == pytest.approx(30.551192)
    assert abs(star.position_angle(north).wrap_at("180d").deg) < 1e-4
    assert star.position_angle(east).deg == pytest.approx(90, abs=1e-4)
    assert not {"CTYPE1B", "WCSNAMEB", "CDELT1", "NFRAMES"} & set(header)


def test_files_and_ccddata(toy, tmp_path):
    frame = reduce_set(toy.Night(toy.REAL, toy.sky())(np.random.default_rng(2), 1.0), REAL)
    frame.with_convention("radial").write(tmp_path / "a.fits")
    back = StokesFrame.read(tmp_path / "a.fits")
    np.testing.assert_allclose(back.data, frame.data)
    np.testing.assert_allclose(back.errors()["U_PHI"], frame.errors()["U_PHI"], rtol=1e-3)
    np.testing.assert_allclose(back.products()["Q_PHI"], -frame.products()["Q_PHI"], atol=1e-4)
    assert back.shares.masters == frame.shares.masters
    np.testing.assert_array_equal(back.shares.weights, frame.shares.weights)
    np.testing.assert_array_equal(back.shares.angles, frame.shares.angles)
    ccd = back.ccddata("AOLP")
    assert ccd.unit == "deg"
    assert ccd.wcs is not None
    assert "750-50" in repr(back)


def test_fields_are_independent(toy, tmp_path):
    one, two = toy.sky(star_q=0.01), toy.sky(star_u=0.03)
    pairs = zip(toy.Night(toy.REAL, one)(), toy.Night(toy.IDEAL, two)(), strict=True)
    images = [
        replace(
            a,
            fields=("F670", "F720"),
            **{n: np.concatenate([getattr(a, n), getattr(b, n)])
               for n in ("data", "variance", "systematic", "count")},
        )
        for a, b in pairs
    ]  # fmt: skip
    for solve in (reduce_set, invert):
        frame = solve(images, [REAL, MuellerModel()])
        np.testing.assert_allclose(frame.data[0, 2], one[1], atol=1e-3)
        np.testing.assert_allclose(frame.data[1, 3], two[2], atol=1e-3)
    frame = reduce_set(images, [REAL, MuellerModel()])
    assert "EFFQ1" in frame.header
    mean = frame.mean_field()
    np.testing.assert_allclose(mean.data[0], frame.data.mean(axis=0))
    mean.write(tmp_path / "mean.fits")
    again = StokesFrame.read(tmp_path / "mean.fits")
    assert again.fields == mean.fields == ("+".join(frame.fields),)
    np.testing.assert_array_equal(again.products()["Q"], mean.products()["Q"])
    np.testing.assert_allclose(again.model_variance(), mean.model_variance())
    with pytest.raises(PolarimetryError, match="2 fields"):
        reduce_set(images, [REAL])


def test_a_field_that_is_lost_does_not_blank_the_others(toy):
    one = reduce_set(toy.Night(toy.REAL, toy.sky())(), REAL)
    count = np.full((2, *one.shape), 4, np.int32)
    count[1] = 0
    lost = np.full_like(one.data, np.nan)
    both = replace(
        one,
        data=np.concatenate([one.data, lost]),
        covariance=np.concatenate([one.covariance, np.full_like(one.covariance, np.nan)]),
        systematic=np.concatenate([one.systematic, np.zeros_like(one.systematic)]),
        fields=("F720", "F760"),
        count=count,
    )
    mean = both.mean_field()
    np.testing.assert_array_equal(mean.data, one.data)
    np.testing.assert_array_equal(mean.covariance, one.covariance)
    assert mean.count.min() == 4
    assert mean.header["FIELDAVG"] == "mean"


def test_user_errors(toy):
    images = toy.Night(toy.IDEAL, toy.sky())()
    with pytest.raises(PolarimetryError, match=r"HWP 67\.5 FLC B cam 2"):
        difference_set(images[:-1])
    with pytest.raises(PolarimetryError, match="no images"):
        difference_set([])
    frame = reduce_set(images, MuellerModel())
    with pytest.raises(PolarimetryError, match="only once"):
        frame.correct(MuellerModel())
    with pytest.raises(PolarimetryError, match="azimuthal"):
        frame.with_convention("cylindrical")
    blind = MuellerModel().with_parameters({"hwp_retardance": 0.0, "flc_retardance": 0.0})
    with pytest.raises(PolarimetryError, match="hardly tell Q from U"):
        difference_set(images).correct(blind)


def test_leastsq_agrees_with_the_triple_difference(toy):
    """With complete sets both are the same weighted sum, noise and all."""
    steady = toy.Night(toy.IDEAL, toy.sky(), derotang=(90.0,) * 4, drift=0.0)
    images = steady(np.random.default_rng(7), 1.0)
    triple = reduce_set(images, MuellerModel())
    least = invert(images, MuellerModel(), gain_radius=None)
    np.testing.assert_allclose(least.data[0, 2:], triple.data[0, 2:], atol=2e-3)
    np.testing.assert_allclose(least.errors()["Q"], triple.errors()["Q"], rtol=1e-3)
    assert np.all(least.errors()["I_Q"] < triple.errors()["I_Q"])


def test_leastsq_with_an_incomplete_cycle_and_unequal_cameras(toy):
    scene = toy.sky(star_q=0.01)
    images = toy.Night(toy.REAL, scene, gains=(0.92, 1.08))()
    kept = [i for i in images if i.header["FRAMEID"] not in ("T0A1", "T3B2", "T3A1")]
    # two cameras of mean throughput 1 but product below: the overall scale is theirs
    frame = invert(kept, REAL, gain_radius=12.0)
    scale = np.sqrt(0.92 * 1.08)
    assert np.all(disk_errors(frame, scene * scale) < 2e-5)
    assert np.all(frame.count == 13)


def test_gains_come_from_the_fluxes(toy):
    at = [
        LightPathAngles(c, h, 95.0, 60.0, 20.0, f)
        for h in (0, 45, 22.5, 67.5) for f in "AB" for c in (1, 2)
    ]  # fmt: skip
    rows = np.array([REAL.row(a)[:3] for a in at])
    true = np.array([{"A1": 0.9, "A2": 1 / 0.9, "B1": 1.05, "B2": 1 / 1.05}[f"{a.flc}{a.camera}"]
                     for a in at])  # fmt: skip
    seeing = np.repeat(np.linspace(0.8, 1.2, 8), 2)
    fluxes = 1e5 * seeing * true * (rows @ [1, 0.05, -0.03])
    gains = camera_gains(fluxes, rows, at, np.repeat(np.arange(8), 2))
    np.testing.assert_allclose(gains, true, rtol=1e-6)
    np.testing.assert_array_equal(camera_gains(fluxes * np.nan, rows, at, np.arange(16)), 1)


def test_leastsq_leaves_masked_pixels_out(toy):
    scene = toy.sky()
    images = toy.Night(toy.IDEAL, scene, derotang=(0.0, 0.0, 0.0, 0.0))()
    for number, image in enumerate(images):
        if image.header["U_CAMERA"] == 1:
            image.data[0, 5, 5 + number] = np.nan
    images[0].data[0, 30, 30] = np.nan
    frame = invert(images, MuellerModel(), gain_radius=None)
    assert np.isfinite(frame.data).all()
    assert np.all(disk_errors(frame, scene) < 1e-5)
    assert frame.count[0, 30, 30] == 14
    for image in images:
        image.data[0, 2, 2] = np.nan
    assert np.isnan(invert(images, MuellerModel()).data[0, :, 2, 2]).all()


def test_leastsq_needs_states_that_differ(toy):
    images = [i for i in toy.Night(toy.IDEAL, toy.sky())() if i.header["RET-ANG1"] == 0.0]
    with pytest.raises(PolarimetryError, match="cannot tell I, Q and U apart"):
        invert(images, MuellerModel())


def test_response_of_ideal_optics_keeps_the_intensity(toy):
    frame = difference_set(toy.Night(toy.IDEAL, toy.sky())())
    response = frame.response(MuellerModel())[0]
    np.testing.assert_allclose(response[:2, :2], np.eye(2), atol=1e-12)
    np.testing.assert_allclose(response[:2, 2:], 0, atol=1e-12)
    rows = np.array([MuellerModel().row(a) for a in frame.angles])
    np.testing.assert_array_equal(response, response_matrix(frame.weights, rows))
