"""Raw headers: what each format has, lacks and gets wrong."""

import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from vampires.simulate import NightSpec
from vampires.simulate.cameras import crop_of, hotspots
from vampires.simulate.geometry import sky_angles
from vampires.simulate.headers import Crop, file_header, header_mjd
from vampires.simulate.plan import file_name, plan_night


def headers(preset, **changes):
    """All headers of a night, without simulating pixels."""
    spec = NightSpec.preset(preset, **changes)
    exposures = plan_night(spec)
    angles = sky_angles(spec.ra, spec.dec, [header_mjd(spec, e) for e in exposures])
    size = (spec.size, spec.size)
    bands = spec.filters(1) if spec.multiband else [spec.filter]
    spots = [(band, 10.0 + k, 20.0 + k) for k, band in enumerate(bands)]
    made = [
        file_header(spec, e, angles[k], Crop((100, 200), size), spots)
        for k, e in enumerate(exposures)
    ]
    return spec, exposures, made


def test_emccd_stars_defects():
    _, exposures, made = headers("stars")
    h, e = made[0], exposures[0]
    for key in ("UT-STR", "UT-END", "HST-STR", "HST-END"):
        assert re.fullmatch(r"\d\d:\d\d:\d\d:\d\d\d", h[key])
    assert h["MJD"] > e.end
    assert isinstance(h["U_CAMERA"], float)
    assert h["DATA-TYP"] == "ACQUISITION"
    assert h["U_FLCSTT"] == 1
    assert made[1]["U_FLCSTT"] == 2
    assert h["EXPTIME"] == 0.25
    for absent in ("FILTER01", "RET-ANG1", "U_FLC", "DETGAIN", "PRD-MIN1", "DETECTOR", "U_DETMOD"):
        assert absent not in h
    assert {m["U_OGFNAM"].split("_")[0] for m in made} == {
        "ABAUR", "darks", "flats", "skies", "pinholes",
    }  # fmt: skip


def test_pointing_belongs_to_the_writing_time():
    spec, exposures, made = headers("stars")
    h, e = made[0], exposures[0]
    angles = sky_angles(spec.ra, spec.dec, [e.mids.mean(), h["MJD"]])
    assert h["ALTITUDE"] == pytest.approx(angles.altitude[1], abs=1e-4)
    assert abs(h["ALTITUDE"] - angles.altitude[0]) > 0.01
    assert h["D_IMRANG"] == pytest.approx(h["ALTITUDE"] / 2 + (90 - h["D_IMRPAP"]) / 2, abs=1e-4)


def test_controller_lacks_what_the_archive_adds():
    spec, exposures, made = headers("controller")
    for absent in ("U_FLCSTT", "EXPTIME", "FRAMEID", "OBS-MOD"):
        assert absent not in made[0]
    assert made[0]["U_AQTINT"] == 250000.0
    names = [file_name(spec, e, "06:20:00.000") for e in exposures]
    assert names[0] == "ABAUR_00_750-50_LyotStop_00_cam1.fits"
    assert len(set(names)) == len(names)


def test_data_types_are_told_since_2023():
    _, exposures, made = headers("stars", start="2023-03-01T05:30:00")
    assert [h["DATA-TYP"] for h in made] == [e.kind for e in exposures]


def test_qcmos_cards():
    _, exposures, made = headers("qcmos")
    h = made[0]
    assert h["UT"].count(".") == 1
    assert h["MJD"] == pytest.approx((exposures[0].start + exposures[0].end) / 2, abs=1e-7)
    assert isinstance(h["U_CAMERA"], int)
    assert h["RET-MOD1"].strip() == "SYNCHRO_ADI"
    assert (h["PRD-MIN1"], h["PRD-RNG1"]) == (100, 128)
    assert [m["U_FLC"].strip() for m in made[:4]] == ["A", "B", "A", "B"]
    assert [m["RET-ANG1"] for m in made[:16:4]] == [0.0, 45.0, 22.5, 67.5]
    assert "U_EMGAIN" not in h
    assert h["WCSNAMEB"] == "NA"
    assert len(fits.Header.fromstring(h.tostring())["FILTER01"]) <= 30
    # blanks are really written: the card is longer than its text
    assert "'750-50                        '" in str(h.cards["FILTER01"])


def test_slow_polarimetry_has_no_flc():
    _, _, made = headers("slow")
    assert {h["U_FLC"].strip() for h in made} == {"NA"}
    assert {h["U_FLCST"].strip() for h in made} == {"OUT"}
    assert made[0]["OBS-MOD"].strip() == "IPOL"


def test_sdi_filters_swap():
    _, exposures, made = headers("sdi")
    for e, h in zip(exposures, made, strict=True):
        line = (e.camera == 1) != e.swapped
        assert h["FILTER02"].strip() == ("Halpha" if line else "Ha-Cont")
        assert h["FILTER02"].strip() == h[f"U_DIFFL{e.camera}"].strip()
    assert made[0]["OBS-MOD"].strip() == "IMAG_SDI"


def test_multiband_wcs():
    _, _, made = headers("mbi")
    h = made[0]
    assert [h[f"WCSNAME{s}"] for s in ("", "B", "C", "D")] == ["F760", "F720", "F670", "F610"]
    # 1-based: F610 was put at (y, x) = (10, 20)
    assert (h["CRPIX1D"], h["CRPIX2D"]) == (21.0, 11.0)
    _, _, reduced = headers("mbir")
    assert reduced[0]["WCSNAMED"] == "NA"
    assert reduced[0]["OBS-MOD"].strip() == "IPOL_MBIR"


def test_wcs_points_north_along_the_derotation_angle():
    spec, _, made = headers("qcmos")
    h = made[2]  # camera 2, not mirrored
    angles = sky_angles(spec.ra, spec.dec, h["MJD"])
    assert h["U_CAMERA"] == 2
    for key in [k for k in h if k.startswith(("DATE", "MJD"))]:
        del h[key]
    wcs = WCS(h)
    scale = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600e3
    assert scale == pytest.approx(spec.generation.cameras[2].pixel_scale)
    derotation = angles.parallactic[0] - 38.58 - 180 - 39.0
    up = wcs.pixel_scale_matrix @ [0, 1]
    # a frame turned counter-clockwise by the angle has north up: its up points that far east
    assert np.rad2deg(np.arctan2(up[0], up[1])) % 360 == pytest.approx(derotation % 360, abs=0.01)


def test_crops_are_centred_on_the_chip():
    crop = crop_of(NightSpec.preset("qcmos", size=256), 1)
    assert (crop.origin, crop.shape) == ((1920, 1024), (256, 256))
    wide = crop_of(NightSpec.preset("mbi", size=536), 2)
    assert (wide.origin, wide.shape) == ((916, 692), (1096, 2240))


def test_multiband_hotspots_mirror_on_the_flipped_camera():
    spec = NightSpec.preset("mbi", size=536)
    ny = crop_of(spec, 1).shape[0]
    first = {band: (ny - 1 - y, x) for band, (y, x) in hotspots(spec, 1, False).items()}
    second = hotspots(spec, 2, False)
    # observatory positions, full-detector pixels less the crop's origin
    for band, x, y in (("F610", 1188.9, 867.8), ("F760", 2884.1, 1420.6)):
        assert first[band] == pytest.approx((y - 596, x - 920), abs=14)
    for band, x, y in (("F610", 1186.3, 1519.7), ("F760", 2887.6, 975.4)):
        assert second[band] == pytest.approx((y - 692, x - 916), abs=3)
