"""A small night of every format, reduced by doit as an observer would, against its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from fixtures.doit import doit
from fixtures.stars import simulated_path

from vampires.measure.metrics import FrameMetrics
from vampires.mueller.model import MuellerModel
from vampires.simulate import NightSpec, NightTruth, simulate_night
from vampires.simulate.scene import Ring

pytestmark = pytest.mark.slow

CENTROID = 0.06  # px rms, each axis
FLUX = 0.01
DEROTATION = 0.02  # deg
DISK = 0.03

SMALL = {"cycles": 1, "calibration_frames": 10}
RING = Ring(radius=0.18, width=0.035)
POLARIMETRY = ("pdi", "coadd_table", "flat_check")


@dataclass(frozen=True)
class Format:
    """How a night comes and how it is reduced."""

    preset: str
    template: str
    changes: dict[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    tasks: tuple[str, ...] = POLARIMETRY
    annulus: tuple[float, float] | None = (0.08, 0.3)  # arcsec; None: no disk


BRIGHT = {**SMALL, "size": 128, "ring": RING, "flux": 1.5e6, "frames": 8, "strehl": 0.7}
FAINT = {**SMALL, "size": 128, "ring": RING, "frames": 12}  # brighter would saturate the EMCCD
FIELDS = {**BRIGHT, "flux": 2e6, "frames": 6}
IDEAL = ("polarimetry.use_ideal_mm=true",)  # these nights are simulated with ideal components


TABLE = {"filter": "675-50", "mueller": simulated_path(MuellerModel.from_table("675-50", "QCMOS"))}
MIRROR = {"filter": "675-50", "mueller": simulated_path(MuellerModel.from_table("675-50", "EMCCD"))}
IMAGES = ("coadd", "coadd_table", "flat_check")
FORMATS = {
    "stars": Format("stars", "pdi", FAINT),
    "mirror": Format("stars", "pdi", {**FAINT, **MIRROR, "frames": 30}),
    "controller": Format("controller", "pdi", FAINT),
    "qcmos": Format("qcmos", "pdi", {**BRIGHT, **TABLE}),
    "fz": Format("fz", "pdi", BRIGHT, IDEAL),
    "nbs": Format("nbs", "pdi", {**BRIGHT, "archive_names": False}, IDEAL),
    "slow": Format("slow", "pdi-slow", BRIGHT, IDEAL),
    "mbi": Format("mbi", "pdi-mbi", FIELDS, IDEAL),
    "mbir": Format("mbir", "pdi-mbi", FIELDS, IDEAL),
    "sdi": Format("sdi", "sdi-halpha", {"size": 96, "cycles": 2, "flux": 2e6}, (), IMAGES, None),
    "imaging": Format(
        "imaging", "speckle", {"size": 96}, ("analysis.phot_aper_rad=8",), IMAGES, None
    ),
}


def reduce_night(folder: Path, template: str, *settings: str, tasks: tuple[str, ...]) -> str:
    """`doit new` and `doit` in a folder with raw/; the output."""
    options = [word for setting in settings for word in ("--set", setting)]
    new = doit(folder, "new", "night.toml", "--template", template, "--yes", *options)
    assert new.returncode == 0, new.stderr
    run = doit(folder, "run", *tasks)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return run.stdout


@dataclass(frozen=True)
class Reduction:
    """A reduced night beside its truth."""

    folder: Path
    truth: NightTruth
    wanted: Format

    @property
    def fields(self) -> list[str]:
        return list(self.truth.data["fields"])

    def files(self, name: str) -> Iterator[tuple[dict[str, Any], FrameMetrics, int]]:
        """Truth and measurements of each file with a field, and the field's number in them."""
        for entry in self.truth.files:
            if name not in entry["fields"]:
                continue
            metrics = FrameMetrics.read(self.product("metrics", entry, ".h5"))
            yield entry, metrics, metrics.fields.index(name)

    def product(self, folder: str, entry: dict[str, Any], ending: str) -> Path:
        stem = entry["name"].split(".fits")[0]
        if self.truth.data["options"]["mode"] == "emccd-controller":
            stem += {"A": "_FLC1", "B": "_FLC2"}[entry["flc"]]
        found = [
            path
            for path in (self.folder / folder).glob(f"night_{stem}*{ending}")
            if path.name in {f"night_{stem}{ending}", *_of_group(stem, entry, ending)}
        ]
        assert len(found) == 1, (stem, found)
        return found[0]

    def centroid_errors(self, name: str) -> np.ndarray:
        """(n, 2) px."""
        errors = []
        for entry, metrics, index in self.files(name):
            y, x = (np.array(entry["fields"][name][axis]) for axis in "yx")
            y = metrics.ny - 1 - y if entry["flipped"] else y
            errors.append(metrics.positions("dft")[index] - np.stack([y, x], axis=1))
        return np.concatenate(errors)

    def flux_ratio(self, name: str) -> float:
        ratios = [
            metrics.photf[index, 0] / np.array(entry["fields"][name]["apflux"]["8"])
            for entry, metrics, index in self.files(name)
        ]
        return float(np.median(np.concatenate(ratios)))

    def derotation_errors(self) -> np.ndarray:
        return np.array([
            (fits.getval(self.product("coadded", entry, "_coll.fits"), "DEROTANG")
             - entry["derotang_mean"] + 180) % 360 - 180
            for entry in self.truth.files
        ])  # fmt: skip

    def disk(self, name: str) -> tuple[float, float]:
        """Polarised flux over the truth's, and offset of the angle of polarisation, deg."""
        several = len(self.fields) > 1
        path = self.folder / "pdi" / f"night_stokes_{'cube' if several else 'coll'}.fits"
        planes = fits.getdata(path).astype(float)
        if several:
            header = fits.getheader(path)
            names = [header[f"FIELD{i}"] for i in range(len(planes))]
            assert names == sorted(names)
            planes = planes[names.index(name)]
        suffix = f"_{name}" if several else ""
        truth = fits.getdata(self.truth.path / f"truth_stokes{suffix}.fits").astype(float)
        margin = (planes.shape[-1] - truth.shape[-1]) // 2
        planes = planes[:, margin:-margin, margin:-margin]
        assert planes.shape[-1] == truth.shape[-1]
        y, x = np.indices(truth.shape[1:]) - (truth.shape[-1] - 1) / 2
        radius = np.hypot(y, x) * fits.getval(self.truth.path / f"truth_stokes{suffix}.fits",
                                              "PIXSCALE") / 1000  # fmt: skip
        assert self.wanted.annulus is not None
        ring = (radius > self.wanted.annulus[0]) & (radius < self.wanted.annulus[1])
        assert np.isfinite(planes[:, ring]).all()
        q, u, q0, u0 = planes[2, ring], planes[3, ring], truth[1, ring], truth[2, ring]
        turned = np.sum((q + 1j * u) * (q0 - 1j * u0))
        ratio = np.sum(q * q0 + u * u0) / np.sum(q0**2 + u0**2)
        return float(ratio), float(np.rad2deg(np.angle(turned)) / 2)


def _of_group(stem: str, entry: dict[str, Any], ending: str) -> tuple[str, ...]:
    """Names of products of the grouping 'pdi'."""
    key = f"night_{stem}_cam{entry['cam']}"
    return f"{key}{ending}", f"{key}_FLC{entry['flc']}{ending}"


@pytest.fixture(scope="module", params=FORMATS)
def reduction(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Reduction:
    wanted = FORMATS[request.param]
    folder = tmp_path_factory.mktemp("formats") / request.param
    truth = simulate_night(NightSpec.preset(wanted.preset, **wanted.changes), folder)
    reduce_night(folder, wanted.template, *wanted.settings, tasks=wanted.tasks)
    return Reduction(folder, truth, wanted)


def test_recovers_the_truth(reduction: Reduction) -> None:
    """One test a format, so that a worker makes each night once."""
    assert np.abs(reduction.derotation_errors()).max() < DEROTATION
    for name in reduction.fields:
        rms = np.sqrt(np.mean(reduction.centroid_errors(name) ** 2, axis=0))
        assert (rms < CENTROID).all(), (name, rms)
        assert reduction.flux_ratio(name) == pytest.approx(1, abs=FLUX), name
        if reduction.wanted.annulus is not None:
            ratio, angle = reduction.disk(name)
            assert ratio == pytest.approx(1, abs=DISK), name
            assert abs(angle) < 1, name
    table = Table.read(reduction.folder / "products" / "night_table.ecsv")
    assert len(table) == len(reduction.truth.files)
    for key in ("BACKFILE", "FLATFILE"):
        assert all(str(name).endswith("_coll.fits") for name in table[key])


def test_satellite_spots(tmp_path: Path) -> None:
    """Rough centroids within 0.3 px; the star from the crossing, over a file, within 0.1 px."""
    spec = NightSpec.preset("coronagraph", **SMALL)
    truth = simulate_night(spec, tmp_path / "night")
    folder = tmp_path / "night"
    reduce_night(folder, "pdi-coronagraph", tasks=("coadd",))
    made = Reduction(folder, truth, Format("coronagraph", "pdi-coronagraph"))
    (name,) = made.fields
    for entry, metrics, index in made.files(name):
        y, x = (np.array(entry["fields"][name][axis]) for axis in "yx")
        y = metrics.ny - 1 - y if entry["flipped"] else y
        star = np.stack([y, x], axis=1)
        error = metrics.positions("dft")[index] - star
        assert np.abs(error.mean(axis=0)).max() < 0.1
        rough = _rough_star(folder / "aux" / f"night_centroids_cam{entry['cam']}.toml", name)
        assert np.abs(rough - star.mean(axis=0)).max() < 0.3 + spec.drift


def _rough_star(path: Path, name: str) -> np.ndarray:
    from vampires.measure.centroid_files import read_centroids

    return np.array(read_centroids(path)[name].star)


def test_a_planet_is_registered_on_its_disc(tmp_path: Path) -> None:
    """At high Strehl ratio: speckles move the light of the whole disc, not the planet."""
    changes = {**SMALL, "size": 128, "flux": 1e7, "strehl": 0.95, "polarimetry": "none"}
    truth = simulate_night(NightSpec.preset("planet", **changes), tmp_path / "night")
    made = Reduction(tmp_path / "night", truth, Format("planet", "planet"))
    reduce_night(made.folder, "planet", tasks=("coadd",))
    (name,) = made.fields
    rms = np.sqrt(np.mean(made.centroid_errors(name) ** 2, axis=0))
    assert (rms < 0.1).all(), rms
    assert np.abs(made.derotation_errors()).max() < DEROTATION


@pytest.fixture(scope="module")
def mbi_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flats") / "night"
    spec = NightSpec.preset("mbi", size=64, frames=2, polarimetry="none", calibration_frames=5)
    simulate_night(spec, folder)
    return folder


def test_a_flat_without_fields_is_an_error_and_the_science_goes_on(mbi_night: Path) -> None:
    """Of one camera's flat nothing but noise is left."""
    spoilt = next(
        path for path in sorted((mbi_night / "raw").iterdir())
        if fits.getval(path, "DATA-TYP").strip() == "FLAT" and fits.getval(path, "U_CAMERA") == 1
    )  # fmt: skip
    with fits.open(spoilt, mode="update") as hdus:
        noise = np.random.default_rng(1).poisson(3000, hdus[0].data.shape)
        hdus[0].data[:] = noise.astype(np.uint16)
    new = doit(mbi_night, "new", "night.toml", "--template", "pdi-mbi", "--yes")
    assert new.returncode == 0, new.stderr
    run = doit(mbi_night, "run", "coadd_table", "flat_check")
    assert run.returncode != 0
    assert f"flat_check:{spoilt.stem}" in run.stdout
    assert "goes on without" in run.stdout + run.stderr
    table = Table.read(mbi_night / "products" / "night_table.ecsv")
    flats = {row["U_CAMERA"]: row["FLATFILE"] for row in table}
    assert flats[1] == "none"
    assert flats[2].endswith("_coll.fits")


def test_masters_of_another_reduction_and_requirements(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    changes = {**SMALL, "size": 64, "frames": 2, "polarimetry": "none"}
    truth = simulate_night(NightSpec.preset("qcmos", **changes), folder)
    reduce_night(folder, "speckle", tasks=("coadd_table",))
    again = tmp_path / "again"
    (again / "raw").mkdir(parents=True)
    for entry in truth.files:
        (again / "raw" / entry["name"]).hardlink_to(folder / "raw" / entry["name"])
    required = 'calibrate.require=["background", "flat"]'
    new = doit(again, "new", "night.toml", "--template", "speckle", "--yes", "--set", required)
    assert new.returncode == 0, new.stderr
    run = doit(again, "run", "coadd")
    assert run.returncode != 0
    assert "[calibrate] require: background: no background among the files" in run.stdout
    masters = f'calibrate.calib_directory="{folder / "master_cals"}"'
    reduce_night(again, "speckle", required, masters, tasks=("coadd_table",))
    for entry in truth.files:
        name = f"coadded/night_{Path(entry['name']).stem}_coll.fits"
        assert np.array_equal(fits.getdata(folder / name), fits.getdata(again / name), True)
        assert fits.getval(again / name, "FLATFILE") == fits.getval(folder / name, "FLATFILE")
