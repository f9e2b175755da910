"""``doit mueller_fit --standards TABLE...``: the tertiary mirror and the stars' polarisation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vampires.commands.base import say
from vampires.errors import FileError, PolarimetryError, VampiresError
from vampires.night.index import find_files
from vampires.utils.toml import toml_document, toml_number, toml_table

if TYPE_CHECKING:
    from tomlkit.toml_document import TOMLDocument

    from vampires.mueller.model import MuellerModel
    from vampires.polarimetry.standards import (
        MirrorFit,
        ModeEvidence,
        StarDifferences,
        StarExposure,
        StarFit,
    )

# Measured degree from which a star is taken to have a polarisation of its own.
_POLARISED = 0.006
_APERTURE = 15.0  # px, of coadds

_MODES = {"auto": None, "true": True, "false": False}


def fit_standards(arguments: list[str], output: Path, options: dict[str, Any]) -> int:
    """Read the stars, choose the half-wave plate's mode, fit the mirror, write table and report.

    Parameters
    ----------
    arguments : list of str
        CSV tables, or coadds of our own.
    output : Path
        TOML table of the mirror; the stars go into a CSV and a picture beside it.
    options : dict
        Of the command: hwp_sync, polarised, start.
    """
    from vampires.polarimetry.standards import fit_mirror, star_differences, star_name

    mode = _mode(options["hwp_sync"])
    stars = star_differences(_exposures(arguments))
    if not stars:
        raise PolarimetryError(
            "no exposures of both cameras (and both FLC states) at one half-wave-plate angle "
            "within 40 s"
        )
    names = [star_name(part) for part in options["polarised"].split(",") if part.strip()]
    strange = sorted(set(names) - {s.star for s in stars})
    if strange:
        known = ", ".join(sorted({s.star for s in stars}))
        raise PolarimetryError(f"--polarised: no star {strange[0]!r}; the files have {known}")
    every: list[dict[str, Any]] = []
    mirrors: dict[str, MirrorFit] = {}
    for name, generation in _one_of_each(stars):
        model = _model(name, generation, options["start"])
        kept, fits, modes = _fit_each(model, stars, (name, generation), mode)
        if not kept:
            continue
        polarised = [
            s.star in names if names else f.debiased > _POLARISED
            for s, f in zip(kept, fits, strict=True)
        ]
        mirror = None
        if not all(polarised):
            mirror = fit_mirror(model, kept, [f.synchronised for f in fits], polarised)
            mirrors[name] = mirror
        every += _report(name, model, kept, fits, modes, polarised, mirror)
    _write(output, every, mirrors)
    return 0 if every else 1


def _one_of_each(stars: list[StarDifferences]) -> list[tuple[str, str]]:
    """Filters with their generation of the instrument."""
    found = sorted({(s.filter, s.generation) for s in stars})
    names = [name for name, _ in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        generations = ", ".join(generation for name, generation in found if name == twice[0])
        raise PolarimetryError(
            f"stars in {twice[0]} of several generations of the instrument ({generations}): a "
            "table holds one of each filter; fit them apart"
        )
    return found


def _exposures(arguments: list[str]) -> list[StarExposure]:
    from vampires.images.image import CameraImage
    from vampires.mueller.lamp_table import is_lamp_table
    from vampires.polarimetry.standards import balance_cameras
    from vampires.polarimetry.star_images import star_exposures
    from vampires.polarimetry.star_table import read_star_table

    tables = [Path(a).expanduser() for a in arguments if is_lamp_table(Path(a))]
    others = [a for a in arguments if not is_lamp_table(Path(a))]
    found: list[StarExposure] = []
    for table in tables:
        try:
            found += read_star_table(table)
        except PolarimetryError as error:
            say(f"{error}: left out")
    coadds: list[StarExposure] = []
    for path in find_files(others) if others else []:
        try:
            coadds += star_exposures(CameraImage.read(path).in_rate(), _APERTURE)
        except (VampiresError, KeyError) as error:
            say(f"{path}: not a coadd of a star ({error}): left out")
    # Not the tables: their fluxes are of medians of few-photon frames, which grow faster than the
    # light. That makes up for unequal cameras: HD 29333 and HDE 279658 come out 2.5 % too high as
    # they are, 7.5 % balanced.
    found += balance_cameras(coadds)
    if not found:
        raise FileError("nothing usable in the given files; see above")
    return found


def _mode(text: str) -> bool | None:
    if text.lower() not in _MODES:
        raise PolarimetryError(f"--hwp-sync = {text!r}: allowed are auto, true, false")
    return _MODES[text.lower()]


def _model(name: str, generation: str, start: str) -> MuellerModel:
    from vampires.mueller.model import MuellerModel

    model = MuellerModel.from_table(name, generation, table=start or None)
    say(f"{name}: {model.source}")
    return model


def _fit_each(
    model: MuellerModel,
    stars: list[StarDifferences],
    kind: tuple[str, str],
    mode: bool | None,
) -> tuple[list[StarDifferences], list[StarFit], list[ModeEvidence]]:
    """Fit every star of a filter; where the mode is open, in that which the night fits better.

    A star that does not decide by itself follows the others of its night.
    """
    from vampires.polarimetry.standards import compare_modes, fit_star

    compared = []
    for star in stars:
        if (star.filter, star.generation) == kind:
            try:
                compared.append((star, compare_modes(model, star)))
            except PolarimetryError as error:
                say(f"{error}: left out")
    votes: dict[int, float] = {}
    for star, found in compared:
        sign = 1 if found.better else -1
        night = int(star.mjd[0])
        votes[night] = votes.get(night, 0.0) + sign * found.log_likelihood
    kept, fits, evidence = [], [], []
    for star, found in compared:
        chosen = found.better if found.decisive else votes[int(star.mjd[0])] > 0
        kept.append(star)
        fits.append(fit_star(model, star, synchronised=chosen if mode is None else mode))
        evidence.append(found)
    return kept, fits, evidence


def _add_mirror(document: TOMLDocument, name: str, mirror: MirrorFit) -> None:
    """Say what the mirror came out as, and add it to the table."""
    value, error = mirror.values["m3_diattenuation"], mirror.errors["m3_diattenuation"]
    worst = max(mirror.correlation, key=lambda star: abs(mirror.correlation[star]))
    say(
        f"{name}: M3 diattenuation {value:.5f} +- {error:.5f} (from star to star "
        f"{mirror.scatter:.5f}; correlation with {worst} {mirror.correlation[worst]:.2f})"
    )
    note = f"+- {error:.2g}"
    toml_table(document, "filters", name).add("m3_diattenuation", toml_number(f"{value:.6f}", note))


def _report(
    name: str,
    model: MuellerModel,
    stars: list[StarDifferences],
    fits: list[StarFit],
    modes: list[ModeEvidence],
    polarised: list[bool],
    mirror: MirrorFit | None,
) -> list[dict[str, Any]]:
    """Say what each star came out as, and return the rows of the table."""
    rows = []
    for star, fit, evidence, own in zip(stars, fits, modes, polarised, strict=True):
        say(
            f"{star.star:12s} {'polarised' if own else 'unpolarised':11s} {len(star):4d} "
            f"differences  P {100 * fit.debiased:6.3f} % +- {100 * fit.degree_error('photon'):.3f} "
            f"photon, {100 * fit.degree_error('scatter'):.3f} scatter, "
            f"{100 * fit.degree_error('model'):.3f} model  angle {fit.angle:5.1f} +- "
            f"{fit.angle_error('scatter'):.1f} deg  residual {100 * fit.rms:.3f} %"
        )
        say(f"{'':12s} {evidence}{'' if evidence.decisive else ': not decisive'}")
        with_fit = mirror.stars[f"{star.star} {int(star.mjd[0])}"] if mirror else fit
        rows.append({
            "star": star.star, "filter": name, "mjd": float(star.mjd.mean()), "n": len(star),
            "synchronised": fit.synchronised, "decisive": evidence.decisive,
            "rms_synchronised": evidence.rms_synchronised, "rms_fixed": evidence.rms_fixed,
            "q": fit.q, "u": fit.u, "constant": fit.constant,
            "degree": fit.debiased, "degree_photon": fit.degree_error("photon"),
            "degree_scatter": fit.degree_error("scatter"),
            "degree_model": fit.degree_error("model"), "angle": fit.angle,
            "angle_scatter": fit.angle_error("scatter"), "angle_model": fit.angle_error("model"),
            "residual": fit.rms, "degree_with_fitted_mirror": with_fit.debiased,
            "m3_diattenuation": model.m3.diattenuation,
        })  # fmt: skip
    return rows


def _write(output: Path, rows: list[dict[str, Any]], mirrors: dict[str, MirrorFit]) -> None:
    import tomlkit
    from astropy.table import Table

    from vampires.io.atomic import atomic_path
    from vampires.io.products import write_table

    if not rows:
        say("no star could be fitted")
        return
    table = output.with_name(f"{output.stem}_stars.ecsv")
    write_table(table, Table(rows=rows))
    say(f"wrote {os.path.relpath(table)}")
    if mirrors:
        document = toml_document()
        document.add("source", tomlkit.item("standard stars: tertiary mirror only"))
        for name, mirror in mirrors.items():
            _add_mirror(document, name, mirror)
        with atomic_path(output) as temporary:
            temporary.write_text(tomlkit.dumps(document), "utf-8")
        say(f"wrote {os.path.relpath(output)}: its M3 values go into a table of the whole path")
