"""``doit mueller_fit FILES...``: fit the light path to sequences on the polarised flat lamp."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from vampires.commands.base import PersonCommand, say
from vampires.errors import FileError, PolarimetryError
from vampires.instrument.flc import NO_FLC
from vampires.night.index import find_files

if TYPE_CHECKING:
    from vampires.mueller.fit import FitResult, LampMeasurements

FREE = (
    "hwp_retardance,hwp_offset,imr_retardance,imr_offset,optics_retardance,optics_diattenuation,"
    "optics_offset,flc_retardance,flc_offset,throughput"
)


class MuellerFit(PersonCommand):
    """Write a table of Mueller parameters, and a picture of each fit."""

    name = "mueller_fit"
    doc_purpose = "fit the light path to flats on the polarised lamp"
    doc_usage = "FILES... [-o TABLE.toml] [--free NAMES] [--start TABLE.toml] [...]"
    doc_description = (
        "FILES are raw flats (with darks, if there are) or coadds of both cameras, over several "
        "half-wave-plate and image-rotator angles; patterns in quotes and folders are taken too. "
        "A lamp sequence may also be a CSV table. --standards fits stars instead. "
        "TABLE.toml then serves as [polarimetry] mueller_table.\n\n"
        "Example: doit mueller_fit 'lamp/*.fits' -o mueller.toml"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "output", "long": "output", "short": "o", "default": "mueller.toml",
            "help": "table to write; must not exist. Pictures are put beside it",
        },
        {
            "name": "free", "long": "free", "default": FREE,
            "help": "parameters to fit, with commas between them; also lamp_degree, lamp_angle",
        },
        {
            "name": "start", "long": "start", "default": "",
            "help": "table to start from, and for what is not fitted (default: the package's)",
        },
        {
            "name": "lamp_degree", "long": "lamp-degree", "type": float, "default": 1.0,
            "help": "degree of polarisation of the lamp",
        },
        {
            "name": "lamp_angle", "long": "lamp-angle", "type": float, "default": None,
            "help": "angle of polarisation of the lamp in front of the HWP, deg "
            "[default: 0; of published qCMOS tables 90]",
        },
        {
            "name": "standards", "long": "standards", "type": bool, "default": False,
            "help": "FILES are of standard stars: CSV tables of fluxes with FITS keywords as "
            "columns, or coadds; fits the tertiary mirror and q, u of each star",
        },
        {
            "name": "hwp_sync", "long": "hwp-sync", "default": "auto",
            "help": "with --standards: did the half-wave plate follow the pupil? auto, true, false",
        },
        {
            "name": "polarised", "long": "polarised", "default": "",
            "help": "with --standards: stars, with commas, that are not unpolarised; by default "
            "those that the fit finds polarised",
        },
        {
            "name": "floor", "long": "floor", "type": float, "default": 0.0,
            "help": "error added to each normalised difference in quadrature, such as 1e-3",
        },
    )  # fmt: skip

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Measure, fit each filter, write table and pictures, report."""
        # Imported here: every doit command loads this module, few fit.
        from vampires.io.atomic import atomic_path
        from vampires.mueller.fit import table_text
        from vampires.plotting.figures import save_figure

        if not arguments:
            raise FileError(
                "which files? `doit mueller_fit FILES...` (see `doit help mueller_fit`)"
            )
        if not math.isfinite(options["floor"]) or options["floor"] < 0:
            raise PolarimetryError(
                f"--floor = {options['floor']}: an error, zero or more, is needed"
            )
        output = Path(options["output"]).expanduser()
        if output.exists():
            raise FileError(f"{output} exists; choose another name with -o")
        if options["standards"]:
            from vampires.commands.standards import fit_standards

            return fit_standards(arguments, output, options)
        results, source = _fit_lamp(arguments, options)
        with atomic_path(output) as temporary:
            temporary.write_text(table_text(results, source), "utf-8")
        for result in results:
            picture = output.with_name(f"{output.stem}_{result.model.name}.png")
            save_figure(result.plot(), picture)
            _report(result, picture)
        say(f"wrote {os.path.relpath(output)}: set [polarimetry] mueller_table to it")
        return 0


def _without_spoilt(paths: list[Path], scratch: Path) -> list[Path]:
    """Files to measure: cubes of the controller are normalised first, FLC states apart."""
    from vampires.night.controller import is_controller
    from vampires.night.normalize import normalize_file
    from vampires.night.scan import scan_file

    ready: list[Path] = []
    for path in paths:
        if is_controller(scan_file(path).record):
            ready += normalize_file(path, scratch, lamp=True).outputs
        else:
            ready.append(path)
    return ready


def _fit_lamp(arguments: list[str], options: dict[str, Any]) -> tuple[list[FitResult], str]:
    from vampires.mueller.lamp import read_lamp
    from vampires.mueller.lamp_table import is_lamp_table, read_lamp_table

    tables = [Path(a).expanduser() for a in arguments if is_lamp_table(Path(a))]
    if not tables:
        paths = [Path(path) for path in find_files(arguments)]
        generation = _generation(paths[0]) if paths else ""
        with tempfile.TemporaryDirectory(prefix="vampires-") as scratch:
            lamps = read_lamp(_without_spoilt(paths, Path(scratch)))
        fits = [_fit(name, generation, measured, options) for name, measured in lamps.items()]
        return fits, f"{len(paths)} lamp files"
    if len(tables) != len(arguments):
        raise FileError("lamp tables (.csv) and FITS files are fitted apart: give one kind")
    results: list[FitResult] = []
    for table in tables:
        generation, measurements = read_lamp_table(table)
        results += [_fit_table(n, generation, m, options) for n, m in measurements.items()]
    return results, f"lamp table {', '.join(t.name for t in tables)}"


def _fit_table(
    name: str,
    generation: str,
    measured: LampMeasurements,
    options: dict[str, Any],
) -> FitResult:
    """Fit a published table: many starts, and the priors of the era."""
    from vampires.mueller.fit import NUISANCES, fit_from_anywhere
    from vampires.mueller.lamp_table import FREE as TABLE_FREE
    from vampires.mueller.lamp_table import LAMP_ANGLES, PRIORS
    from vampires.mueller.model import MuellerModel

    model = MuellerModel.from_table(name, generation, table=options["start"] or None, ideal=True)
    if options["start"]:
        model = MuellerModel.from_table(name, generation, table=options["start"])
    free = TABLE_FREE if options["free"] == FREE else tuple(_names(options["free"]))
    nuisances = NUISANCES | {
        "lamp_degree": options["lamp_degree"],
        "lamp_angle": _given(options["lamp_angle"], LAMP_ANGLES[generation]),
    }  # fmt: skip
    return fit_from_anywhere(
        model, measured.with_floor(options["floor"]), free, nuisances, PRIORS[generation]
    )


def _given(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _generation(path: Path) -> str:
    from vampires.canonical import Header
    from vampires.io.products import read_header
    from vampires.night.raw import raw_header

    return read_header(path).known(Header.generation) or raw_header(path).generation


def _fit(
    name: str, generation: str, measured: LampMeasurements, options: dict[str, Any]
) -> FitResult:
    from vampires.mueller.fit import NUISANCES, fit_model
    from vampires.mueller.model import MuellerModel

    model = MuellerModel.from_table(name, generation, table=options["start"] or None)
    free = _names(options["free"])
    if set(measured.flc) == {NO_FLC}:
        free = [part for part in free if not part.startswith("flc_")]
    nuisances = NUISANCES | {
        "lamp_degree": options["lamp_degree"], "lamp_angle": _given(options["lamp_angle"], 0.0),
    }  # fmt: skip
    return fit_model(model, measured.with_floor(options["floor"]), free, nuisances)


def _report(result: FitResult, picture: Path) -> None:
    say(
        f"{result.model.name}: {len(result.measurements)} pairs of cameras, "
        f"chi2 {result.chi2:.1f} for {result.dof} degrees of freedom; {os.path.relpath(picture)}"
    )
    for name, value, error in zip(result.free, result.values, result.errors, strict=True):
        say(f"  {name:22s} {value:10.5f} +- {error:.5f}")
    say(f"  residual rms of the differences {result.rms:.5f}")
    if result.held_by_prior:
        say(f"  held by their priors: {', '.join(result.held_by_prior)}")
    for one, two, value in result.degenerate:
        say(f"  {one} and {two} are correlated by {value:.2f}")
    if result.chi2 > 2 * result.dof:
        scale = math.sqrt(result.chi2 / max(result.dof, 1))
        say(
            f"  the residuals are {scale:.1f} times the stated errors: those of the parameters in "
            "the table are multiplied by that; see the picture, add --floor, or free others"
        )
