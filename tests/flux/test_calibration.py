"""Zero points, spectral types, spectra and satellite spots on simulated stars of known flux."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from vampires.canonical import Header
from vampires.config import config_from_dict
from vampires.cube import CameraCube
from vampires.errors import ConfigError, FileError, HeaderError, MeasurementError
from vampires.flux.calibration import FluxSource, calibrate_flux
from vampires.flux.rates import StarRate, star_rates
from vampires.flux.star import star_of_spectrum, star_of_type
from vampires.images.image import CameraImage
from vampires.images.units import FluxScale
from vampires.instrument.filters import FILTERS
from vampires.kernels.aperture import circle_sum
from vampires.simulate import NightSpec, simulate_night
from vampires.steps.images import calibrated_flux, flux_reference

# Rate of a magnitude-0 star (L24, no splitter, no FLC), its flux (CALSPEC Vega) and extinction.
ZERO = {
    "Open": (2.2e10, 2913), "625-50": (5.3e9, 3152), "675-50": (7.0e9, 2827),
    "725-50": (7.9e9, 2685), "750-50": (7.7e9, 2589), "775-50": (2.1e9, 2529),
    "F610": (3.9e9, 3237), "F670": (5.2e9, 2869), "F720": (6.7e9, 2743), "F760": (2.7e9, 2638),
    "Halpha": (7.2e7, 2049), "Ha-Cont": (2.3e8, 3017), "SII": (5.5e8, 2917),
    "SII-Cont": (4.3e8, 2876),
}  # fmt: skip
NPBS = {1: 0.4395, 2: 0.4535}
RADIUS = 20.0


def simulated(folder: Path, **changes) -> tuple[CameraCube, dict]:
    """Cube of the first file of a small clean night, measured, and its truth."""
    spec = NightSpec(**{
        "mode": "qcmos", "polarimetry": "none", "size": 64, "frames": 4, "cycles": 1,
        "exptime": 0.05, "flux": 1.5e6, "ring": None, "calibration_frames": 0, "speckles": 3,
        "mueller": "ideal", "hot_fraction": 0.0, "dead_fraction": 0.0, "vignetting": 0.0,
        "prnu": 0.0, "sky_rate": 0.0, "flux_scatter": 0.0, "offset": (0.3, -0.6), **changes,
    })  # fmt: skip
    simulate_night(spec, folder)
    truth = json.loads((folder / "truth.json").read_text())
    entry = truth["files"][0]
    return CameraCube.open([folder / "raw" / f"{entry['name']}"]).measure().register(), truth


def coadd(cube: CameraCube, **specphot) -> CameraImage:
    config = config_from_dict({"name": "a", "specphot": specphot})
    return calibrated_flux(
        cube.coadd(pad=False, crop_width=64), flux_reference(cube, config), config
    )


def aperture(plane: np.ndarray, radius: float = RADIUS) -> float:
    center = (plane.shape[0] - 1) / 2
    return circle_sum(plane, plane, center, center, radius)[0]


@pytest.fixture(scope="module")
def star(tmp_path_factory) -> tuple[CameraCube, dict]:
    return simulated(tmp_path_factory.mktemp("star") / "night")


@pytest.mark.parametrize("name", ZERO)
def test_known_flux_in_every_filter(tmp_path, name):
    """A star of known flux density comes out within 1 %, all losses and the air in the way."""
    cube, truth = simulated(tmp_path / "night", filter=name)
    rate, vega = ZERO[name]
    header = cube.header
    lost = NPBS[header["U_CAMERA"]] * 10 ** (-0.4 * FILTERS[name].extinction * header["AIRMASS"])
    entry = truth["files"][0]["fields"][name]
    expected = np.mean(entry["apflux"]["20"]) / (rate * lost) * vega
    image = coadd(cube, unit="Jy")
    assert image.header["BUNIT"] == "Jy"
    assert image.header["ZPTABLE"] == "2026.1"
    assert aperture(image.data[0]) == pytest.approx(expected, rel=0.01)
    assert image.header["STARJY0"] == pytest.approx(
        np.mean(entry["apflux"]["8"]) / (rate * lost) * vega, rel=0.01
    )
    assert image.header["FLUXSYS0"] == FILTERS[name].zero_scatter


def test_planes_and_errors_share_the_factor(star):
    cube, _ = star
    rate, jansky = coadd(cube), coadd(cube, unit="Jy")
    surface = coadd(cube, unit="Jy/arcsec^2")
    factor = jansky.header["FLUXCON0"]
    assert_allclose(jansky.data, rate.data * factor, rtol=1e-5)
    assert_allclose(jansky.err, rate.err * factor, rtol=1e-5)
    assert_allclose(surface.data * surface.header["PXAREA"], jansky.data, rtol=1e-5)
    assert_allclose(surface.err * surface.header["PXAREA"], jansky.err, rtol=1e-5)
    assert_allclose(jansky.in_rate().data, rate.data, rtol=1e-5)
    assert jansky.in_rate().header["BUNIT"] == "e-/s"
    assert "FLUXCON0" not in jansky.in_rate().header
    assert str(surface.ccddata().unit) == "Jy / arcsec2"


def test_nothing_changes_in_counts(star):
    cube, _ = star
    plain = cube.coadd(pad=False, crop_width=64)
    same = coadd(cube)
    assert same.header == plain.header
    assert np.array_equal(same.data, plain.data, equal_nan=True)


@pytest.mark.parametrize(
    ("cards", "factor"),
    [
        ({"U_BS": "PBS", "U_FLCST": "IN"}, 0.4395 / (0.3676 * 0.968)),
        ({"U_BS": "Open"}, 0.4395),
        ({"U_MASK": "ND10"}, 10.0),
        ({"U_CAMERA": 2}, 0.4395 / 0.4535),
    ],
)
def test_losses_are_read_from_the_header(star, cards, factor):
    cube, _ = star
    one = calibrate_flux(cube.header, ["750-50"], None, source(unit="Jy")).scale
    changed = cube.header.copy()
    changed.update(cards)
    other = calibrate_flux(changed, ["750-50"], None, source(unit="Jy")).scale
    assert other.factors[0] / one.factors[0] == pytest.approx(factor)


def source(coronagraphic=False, ratios=None, **specphot) -> FluxSource:
    config = config_from_dict({"name": "a", "specphot": specphot})
    return FluxSource(config.specphot, coronagraphic, spot_ratios=ratios or {})


def test_what_is_doubtful_is_said(star):
    header = star[0].header.copy()
    header["DETGEN"], header["U_BS"] = "EMCCD", ""
    found = calibrate_flux(header, ["750-50"], None, source(unit="Jy"))
    assert "none is published for EMCCD" in found.cards["FLUXWARN"][0]
    assert any("U_BS" in doubt for doubt in found.doubts)


def test_without_airmass_the_altitude_serves(star):
    header = star[0].header.copy()
    airmass = header.pop("AIRMASS")
    found = calibrate_flux(header, ["750-50"], None, source(unit="Jy"))
    assert found.cards["FLUXAIRM"][0] == pytest.approx(airmass, abs=0.01)
    for key in ("ALT_MID", "ALTITUDE"):
        header.remove(key, ignore_missing=True)
    with pytest.raises(HeaderError, match="AIRMASS missing"):
        calibrate_flux(header, ["750-50"], None, source(unit="Jy"))


class TestStar:
    def test_colours_of_a_star_like_the_sun(self):
        star = star_of_type("G2V", 5.0, "V", "750-50")
        assert star.magnitude == pytest.approx(5.0 - 0.675, abs=0.001)
        assert star.flux == pytest.approx(2589 * 10 ** (-0.4 * star.magnitude), rel=1e-3)

    def test_vega_type_has_no_colour(self):
        for name in FILTERS:
            assert star_of_type("A0V", 0.0, "V", name).magnitude == pytest.approx(0, abs=0.06)

    def test_any_band_gives_the_same_star(self):
        direct = star_of_type("K5V", 8.0, "V", "F720").flux
        table = Table.read("vampires/instrument/data/pickles.ecsv", format="ascii.ecsv")
        row = table[list(table["sptype"]).index("K5V")]
        for band in "UBRIriJHK":
            other = star_of_type("K5V", 8.0 - row[f"V-{band}"], band, "F720").flux
            assert other == pytest.approx(direct, rel=1e-6)

    @pytest.mark.parametrize(
        ("asked", "taken"),
        [
            ("B5-7V", "B57V"),
            ("G1V", "G0V"),
            ("wf8v", "F8V"),
            ("B6V", "B57V"),
            ("A5.5V", "A5V"),
            ("M10III", "M9III"),
            ("K", "K0V"),
        ],
    )
    def test_nearest_type(self, asked, taken):
        assert star_of_type(asked, 5.0, "V", "Open").origin == f"Pickles {taken}"

    def test_unknown_type(self):
        with pytest.raises(ConfigError, match=r'sptype = "DA2".*O5V, O9V'):
            star_of_type("DA2", 5.0, "V", "Open")

    def test_scale_by_a_star(self, star):
        cube, _ = star
        image = coadd(cube, unit="Jy", source="pickles", sptype="G2V", mag=7.0, mag_band="V")
        assert aperture(image.data[0], 8.0) == pytest.approx(image.header["STARJY0"], rel=0.01)
        assert image.header["STARJY0"] == pytest.approx(7.64, abs=0.01)
        assert image.header["FLUXSYS0"] == pytest.approx(0.02 * np.log(10) / 2.5, rel=1e-3)
        assert 0 < image.header["FLUXSTA0"] < 0.02
        assert (image.header["REFMAG"], image.header["REFBAND"]) == (7.0, "V")
        measured = 7.7e9 * NPBS[1] * 10 ** (-0.4 * image.header["STARMAG0"])
        through = image.header["THROUGH0"] / (image.header["INSTFLX0"] / measured)
        assert through == pytest.approx(7.7e9 * NPBS[1] / (1.019e11), rel=0.01)

    def test_window_sum_as_the_metric(self, star):
        cube, _ = star
        image = coadd(
            cube, unit="Jy", source="pickles", sptype="A0V", mag=5.0, mag_band="r",
            flux_metric="sum",
        )  # fmt: skip
        assert image.header["INSTFLX0"] == pytest.approx(cube.measured.sum.mean(), rel=1e-5)

    def test_contrast(self, star):
        cube, _ = star
        image = coadd(cube, unit="contrast")
        assert aperture(image.data[0], 8.0) == pytest.approx(1, rel=0.01)
        assert image.ccddata().unit == ""

    def test_no_flux_is_an_error(self, star):
        metrics = star[0].measured
        lost = replace(metrics, photf=np.full_like(metrics.photf, np.nan))
        with pytest.raises(MeasurementError, match=r"needed for .specphot.*saturated"):
            star_rates(lost, np.ones(4, bool), "photometry")


class TestSpectrum:
    @pytest.mark.parametrize("form", ["ecsv", "csv", "fits"])
    def test_flat_spectrum(self, tmp_path, form):
        pytest.importorskip("synphot")
        wave, flux = np.linspace(500, 900, 400), np.full(400, 0.25)
        path = tmp_path / f"star.{form}"
        if form == "csv":
            rows = "\n".join(f"{w},{f}" for w, f in zip(wave, flux, strict=True))
            path.write_text(f"wavelength [nm],flux [Jy]\n{rows}\n")
        else:
            table = Table(
                {"wavelength": wave, "flux": flux}, units={"wavelength": "nm", "flux": "Jy"}
            )
            table.write(path)
        for name in ("Open", "F760", "Halpha"):
            star = star_of_spectrum(path, name)
            assert star.flux == pytest.approx(0.25, rel=1e-3)

    def test_own_curve(self, tmp_path):
        pytest.importorskip("synphot")
        wave = np.linspace(500, 900, 400)
        path, curve = tmp_path / "star.ecsv", tmp_path / "curve.txt"
        table = Table({"wave": wave, "flux": wave / 700}, units={"wave": "nm", "flux": "Jy"})
        table.write(path)
        curve.write_text("599 0\n600 1\n800 1\n801 0\n")
        # mean of f_nu weighted by photons, dlambda / lambda: 200 / ln(800 / 600) nm over 700
        assert star_of_spectrum(path, "Open", curve).flux == pytest.approx(
            200 / np.log(800 / 600) / 700, rel=1e-3
        )

    def test_bad_files_say_what_is_wanted(self, tmp_path):
        pytest.importorskip("synphot")
        path = tmp_path / "star.csv"
        path.write_text("wavelength,flux\n500,1\n600,1\n")
        with pytest.raises(FileError, match=r"star\.csv: not a spectrum .*no unit.*TUNIT"):
            star_of_spectrum(path, "Open")
        path.write_text("wavelength [nm],flux [Jy]\n500,1\n600,1\n")
        with pytest.raises(FileError, match="covers 500 to 600 nm"):
            star_of_spectrum(path, "Open")


class TestSpots:
    header = Header(
        {"X_GRDAMP": 0.028, "X_GRDSEP": 15.5, "X_GRDST": "ON", "U_CAMERA": 1, "U_BS": "NPBS",
         "PXAREA": 3.5e-5, "AIRMASS": 1.1, "DETGEN": "QCMOS"}
    )  # fmt: skip
    rates = (StarRate(1e3, 0.01, "aperture of 8 px"),)

    def test_star_behind_the_mask(self):
        x = 0.028 / 0.748
        ratio = -0.043 * x + 7.634 * x**2
        found = calibrate_flux(self.header, ["750-50"], self.rates, source(True, unit="contrast"))
        assert found.scale.factors[0] == pytest.approx(ratio / 1e3)
        assert found.cards["CONTRST0"][0] == pytest.approx(ratio, rel=1e-5)
        assert found.scale.calibration_errors[0] == pytest.approx(
            np.hypot(0.082 * x, 1.321 * x**2) / ratio
        )

    def test_star_of_known_flux_behind_the_mask(self):
        known = {"unit": "Jy", "source": "pickles", "sptype": "A0V", "mag": 5.0, "mag_band": "V"}
        found = calibrate_flux(self.header, ["750-50"], self.rates, source(True, **known))
        ratio = found.cards["CONTRST0"][0]
        assert found.scale.factors[0] * 1e3 / ratio == pytest.approx(
            found.cards["STARJY0"][0], rel=1e-4
        )

    def test_measured_ratio_replaces_the_polynomial(self):
        measured = source(True, {"750-50": (0.02, 0.03)}, unit="contrast")
        found = calibrate_flux(Header({"U_CAMERA": 1}), ["750-50"], self.rates, measured)
        assert found.scale.factors[0] == pytest.approx(0.02 / 1e3)
        assert found.scale.calibration_errors[0] == 0.03

    @pytest.mark.parametrize(
        ("cards", "words"),
        [
            ({"X_GRDST": "OFF"}, "X_GRDST = OFF"),
            ({"X_GRDAMP": None}, "X_GRDAMP missing"),
            ({"X_GRDSEP": 20.0}, "20 lambda/D has no calibration"),
            ({"X_GRDAMP": 0.001}, "too faint"),
        ],
    )
    def test_unusable_grid_is_an_error(self, cards, words):
        header = self.header.copy()
        for key, value in cards.items():
            header.remove(key) if value is None else header.update({key: value})
        with pytest.raises(HeaderError, match=words):
            calibrate_flux(header, ["750-50"], self.rates, source(True, unit="contrast"))
        # zero points need no star
        assert calibrate_flux(header, ["750-50"], self.rates, source(True, unit="Jy")).cards

    def test_smeared_spots_and_odd_modulation_are_doubtful(self):
        header = self.header.copy()
        header["X_GRDMOD"] = 500
        found = calibrate_flux(header, ["Open"], self.rates, source(True, unit="contrast"))
        assert "smeared" in found.cards["FLUXWARN"][0]
        assert "500 Hz" in found.cards["FLUXWARN"][0]


def test_scale_of_a_mean_keeps_the_star():
    scales = [FluxScale("Jy", (5.0 / r,), (0.02,), (0.1,)) for r in (100.0, 300.0)]
    mean = FluxScale.mean(scales)
    assert mean.factors[0] * 200 == pytest.approx(5.0)
    assert mean.photon_errors[0] == pytest.approx(0.02 / np.sqrt(2))
    assert mean.calibration_errors[0] == pytest.approx(0.1)
