"""Known stars through doit: in each unit, and behind a coronagraph with a ladder sequence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from fixtures.doit import doit

from vampires.flux.curves import fwhm_of
from vampires.instrument.filters import FILTERS
from vampires.kernels.aperture import circle_sum
from vampires.observation import Observation
from vampires.simulate import NightSpec, simulate_night
from vampires.steps.images import flux_scale

CLEAN = {
    "mode": "qcmos", "cycles": 1, "frames": 2, "exptime": 0.05, "ring": None, "mueller": "ideal",
    "calibration_frames": 0, "hot_fraction": 0.0, "dead_fraction": 0.0, "vignetting": 0.0,
    "prnu": 0.0, "sky_rate": 0.0, "flux_scatter": 0.0,
}  # fmt: skip
PBS = {1: 0.3676, 2: 0.4288}
ZERO, VEGA = 7.7e9, 2589.0  # e-/s and Jy of magnitude 0 in 750-50


def configure(folder: Path, text: str) -> None:
    (folder / "night.toml").write_text(f'name = "n"\n{text}')
    (folder / "dodo.py").write_text("from vampires.tasks import *\n")


def aperture(plane: np.ndarray, radius: float) -> float:
    plane = plane.astype(float)
    y, x = ((side - 1) / 2 for side in plane.shape)
    return circle_sum(plane, plane, y, x, radius)[0]


@pytest.fixture(scope="module")
def star(tmp_path_factory) -> tuple[Path, dict]:
    """One cycle of slow polarimetry of a star, and its truth."""
    folder = tmp_path_factory.mktemp("star") / "night"
    spec = NightSpec(polarimetry="slow", size=64, flux=1.5e6, speckles=3, offset=(0.3, -0.6),
                     **CLEAN)  # fmt: skip
    simulate_night(spec, folder)
    return folder, json.loads((folder / "truth.json").read_text())


def known(truth: dict, name: str, radius: str) -> float:
    """Jy of the star in an aperture, from the rate that the camera was given."""
    entry = next(e for e in truth["files"] if e["name"].startswith(name))
    return np.mean(entry["fields"]["750-50"]["apflux"][radius]) / ZERO * VEGA


def test_known_star_in_every_unit(star):
    """Camera, atmosphere and splitter undone, within 1 %; the errors follow the data."""
    folder, truth = star
    coadds: dict[str, dict[str, tuple[np.ndarray, np.ndarray, fits.Header]]] = {}
    for unit in ("e-/s", "Jy", "contrast", "Jy/arcsec^2"):
        goals = ("pdi", "contrast", "report") if unit == "Jy/arcsec^2" else ("coadd",)
        tables = '[polarimetry]\nmethod = "doublediff"\n[contrast]\n'
        configure(folder, f'[specphot]\nunit = "{unit}"\n{tables}')
        run = doit(folder, *goals)
        assert run.returncode == 0, run.stdout + run.stderr
        coadds[unit] = {}
        for path in sorted((folder / "coadded").glob("*_coll.fits")):
            with fits.open(path) as hdus:
                assert hdus["ERR"].header["BUNIT"] == hdus[0].header["BUNIT"] == unit
                planes = (hdus[0].data.copy(), hdus["ERR"].data.copy())
                coadds[unit][path.name] = (*planes, hdus[0].header)
    for name, (rate, error, _) in coadds["e-/s"].items():
        jansky, jansky_error, header = coadds["Jy"][name]
        loss = 10 ** (-0.4 * FILTERS["750-50"].extinction * header["AIRMASS"])
        expected = known(truth, header["FRAMEID"], "20") / (PBS[header["U_CAMERA"]] * loss)
        assert aperture(jansky, 20) == pytest.approx(expected, rel=0.01)
        surface, surface_error, _ = coadds["Jy/arcsec^2"][name]
        assert aperture(surface, 20) * header["PXAREA"] == pytest.approx(expected, rel=0.01)
        contrast, contrast_error, _ = coadds["contrast"][name]
        assert aperture(contrast, 8) == pytest.approx(1, rel=0.01)
        for data, err in ((jansky, jansky_error), (surface, surface_error),
                          (contrast, contrast_error)):  # fmt: skip
            np.testing.assert_allclose(err * rate, error * data, rtol=1e-4, atol=1e-12)
    with fits.open(folder / "pdi" / "n_stokes_coll.fits") as hdus:
        header = hdus[0].header
        assert header["BUNIT"] == hdus["ERR"].header["BUNIT"] == "Jy/arcsec^2"
        total = aperture(hdus[0].data[0], 20) * header["PXAREA"]
    both = [known(truth, header["FRAMEID"], "20") for _, _, header in coadds["Jy"].values()]
    loss = np.mean([10 ** (-0.4 * FILTERS["750-50"].extinction * h["AIRMASS"])
                    for _, _, h in coadds["Jy"].values()])  # fmt: skip
    assert total == pytest.approx(np.mean(both) / (np.mean(list(PBS.values())) * loss), rel=0.02)
    check_curves_and_report(folder)


def check_curves_and_report(folder: Path) -> None:
    """Of a night in Jy/arcsec^2: sums over an aperture are Jy."""
    tables = {
        name: QTable.read(folder / "products" / "contrast" / f"n_contrast_{name}.ecsv")
        for name in ("cam1", "cam2", "stokes")
    }
    stokes = tables["stokes"]
    assert set(stokes["image"]) == {"I_Q", "Q", "U", "Q_PHI", "U_PHI"}
    for table in tables.values():
        assert table["limit"].unit == table["noise"].unit == "Jy"
        assert np.isfinite(table["contrast"]).all()
        np.testing.assert_allclose(
            table["limit"].value, (table["factor"] * table["noise"]).value, rtol=0.3
        )
    star_jy = stokes["limit"].value / stokes["contrast"]  # within one FWHM: most of its core
    with fits.open(folder / "pdi" / "n_stokes_coll.fits") as hdus:
        image, header = hdus[0].data[0], hdus[0].header
    expected = aperture(image, fwhm_of("750-50", header["PXSCALE"]) / 2) * header["PXAREA"]
    np.testing.assert_allclose(star_jy, expected, rtol=1e-3)
    page = (folder / "products" / "n_report.html").read_text()
    assert "Flux scale, median over the coadds" in page
    zero_points = [fits.getheader(p)["ZPMAG0"] for p in (folder / "coadded").glob("*_coll.fits")]
    assert f"{zero_points[0]:.3f}"[:4] in page
    assert "Limits of detection" in page


SPOTS = {"amplitude": 0.05, "separation": 15.5, "angle": -6.6}


@pytest.fixture(scope="module")
def ladder_night(tmp_path_factory) -> tuple[Path, float]:
    """A masked star with spots, the same without the mask, and the star's rate in 8 px."""
    from vampires.simulate.bank import SatelliteSpots

    root = tmp_path_factory.mktemp("ladder")
    (root / "raw").mkdir()
    for number, (mask, start) in enumerate([(0.97, "08:20:00"), (0.0, "08:40:00")], start=2):
        spec = NightSpec(
            polarimetry="none", size=160, flux=2e6, strehl=0.7, jitter=0.3, coronagraph=mask,
            start=f"2024-01-15T{start}", spots=SatelliteSpots(**SPOTS), **CLEAN,
        )  # fmt: skip
        simulate_night(spec, root / str(number))
        for path in sorted((root / str(number) / "raw").iterdir()):
            copy = root / "raw" / path.name.replace("VMPA0002", f"VMPA000{number}")
            shutil.copy(path, copy)
            # a separation that no polynomial was published for
            fits.setval(copy, "X_GRDSEP", value=14.2)
    truth = json.loads((root / "3" / "truth.json").read_text())
    rates = [np.mean(e["fields"]["750-50"]["apflux"]["8"]) for e in truth["files"]]
    return root, float(np.mean(rates))


@pytest.fixture(scope="module")
def reduced_ladder(ladder_night) -> tuple[Path, float]:
    """The same in a folder of its own, reduced."""
    night, rate = ladder_night
    folder = night.with_name(f"{night.name}_reduced")
    shutil.copytree(night / "raw", folder / "raw")
    configure(folder, 'coronagraphic = true\n[specphot]\nunit = "contrast"\n[contrast]\n')
    run = doit(folder, "coadd", "ladder", "contrast")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, rate


def test_unocculted_frames_calibrate_the_occulted_ones(reduced_ladder):
    folder, rate = reduced_ladder
    table = Table.read(folder / "products" / "n_ladder.ecsv")
    x = SPOTS["amplitude"] / 0.748
    polynomial = -0.043 * x + 7.634 * x**2
    assert len(table) == 2
    np.testing.assert_allclose(table["ratio"], polynomial, rtol=0.03)
    assert (np.abs(table["ratio"] / polynomial - 1) < 3 * table["error"]).all()
    for path in sorted((folder / "coadded").glob("*_coll.fits")):
        header = fits.getheader(path)
        assert header["FLUXCON0"] * rate == pytest.approx(1, rel=0.03)
        if header["U_FLDSTP"] == "CLC-3":
            assert header["CONTSRC0"] == "unocculted frames"
            assert header["CONTRST0"] == pytest.approx(polynomial, rel=0.03)
            assert header["SRC0003"] == "n_ladder.ecsv"
            assert header["CONTERR0"] < 0.03
        else:
            assert "CONTRST0" not in header
            unocculted = fits.getdata(path)
            assert aperture(unocculted, 8) == pytest.approx(1, rel=0.01)
    # The spots tell what the star would have in a small aperture, where it can be seen too.
    masked = QTable.read(next((folder / "products" / "contrast").glob("*CLC-3*cam1.ecsv")))
    core = aperture(unocculted, fwhm_of("750-50", header["PXSCALE"]) / 2)
    np.testing.assert_allclose(masked["limit"] / masked["contrast"], core, rtol=0.05)


def test_in_a_notebook_alike(reduced_ladder):
    folder, _ = reduced_ladder
    observation = Observation.from_config(folder / "night.toml")
    part = next(p for p in observation.parts if "CLC-3" in p.plan.setups[0].view.mask)
    image = part.coadd(0)
    path = part.plan.layout.coadd(part.plan.groups[0].key)
    np.testing.assert_array_equal(image.data[0], fits.getdata(path))
    # of frames that are subtracted one by one there is no coadd: its scale is the same
    scale = flux_scale(part.registered(0), observation.config, part.ladder)
    assert scale.factors[0] == pytest.approx(fits.getheader(path)["FLUXCON0"], rel=2e-3)


def test_the_polynomial_where_nothing_else_tells(ladder_night):
    """The star comes back within 3 % by the published ratio of its spots, in contrast and Jy."""
    folder, rate = ladder_night
    data = """
        coronagraphic = true
        [data]
        exclude = ["VMPA0003*"]
        [[data.fix]]
        files = ["VMPA0002*"]
        set = { X_GRDSEP = 15.5 }
        """
    known = 'source = "pickles"\nsptype = "A0V"\nmag = 7.0\nmag_band = "V"\n'
    for unit, source in (("contrast", ""), ("Jy", known)):
        configure(folder, f'{data}[specphot]\nunit = "{unit}"\n{source}')
        run = doit(folder, "coadd")
        assert run.returncode == 0, run.stdout + run.stderr
        for path in sorted((folder / "coadded").glob("n_VMPA0002*_coll.fits")):
            header = fits.getheader(path)
            assert header["CONTSRC0"] == "polynomial of L24"
            expected = 1.0 if unit == "contrast" else header["STARJY0"]
            assert header["FLUXCON0"] * rate == pytest.approx(expected, rel=0.03)
            assert 0.1 < header["FLUXSYS0"] < 0.6


def test_without_them_the_error_says_what_is_missing(ladder_night):
    folder, _ = ladder_night
    text = 'coronagraphic = true\n[data]\nexclude = ["VMPA0003*"]\n[specphot]\nunit = "contrast"\n'
    configure(folder, text)
    run = doit(folder, "coadd")
    assert run.returncode != 0
    assert "X_GRDSEP = 14.2 lambda/D has no calibration" in run.stdout + run.stderr
    assert "or add unocculted frames" in run.stdout + run.stderr
