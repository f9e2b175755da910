"""``doit profile [FILE]``: radial profile, r^2-scaled Q_phi, map of S/N, polarised star."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from vampires.commands.base import PersonCommand, say
from vampires.errors import ConfigError, FileError

if TYPE_CHECKING:
    from vampires.polarimetry.stokes import StokesFrame


class Profile(PersonCommand):
    """Read off a Stokes product what people publish next."""

    name = "profile"
    doc_purpose = "radial profile, r^2 picture, S/N map and star of a Stokes product"
    doc_usage = "[FILE...] [--width PX] [--radius PX]"
    doc_description = (
        "FILE is a Stokes product; without it, those of the reduction in this folder. Beside it "
        "are written, for each field, NAME_profile.ecsv (and .csv, .png): mean Q_phi and U_phi in "
        "annuli with errors and S/N; and NAME_star.ecsv: the polarisation in an aperture about "
        "the star. The picture also shows Q_phi times r^2 and Q_phi over the rms of U_phi.\n\n"
        "Example: doit profile pdi/20230101_ABAur_stokes_coll.fits --width 3"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "width", "long": "width", "short": "w", "type": float, "default": 2.0,
            "help": "width of the annuli, pixels",
        },
        {
            "name": "radius", "long": "radius", "short": "r", "type": float, "default": 15.0,
            "help": "radius of the aperture about the star, pixels",
        },
    )  # fmt: skip

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Measure, write, say where."""
        # Imported here: every doit command loads this module.
        from vampires.polarimetry.stokes import StokesFrame

        for name in ("width", "radius"):
            if not (math.isfinite(options[name]) and options[name] > 0):
                raise ConfigError(f"--{name} {options[name]:g}: a number of pixels above 0")
        for path in [Path(name).expanduser() for name in arguments] or _products():
            if not path.exists():
                raise FileError(f"{path}: no such file")
            if path.suffix != ".fits":
                raise FileError(f"{path}: not a Stokes product; these are called .fits")
            _read_off(StokesFrame.read(path), path, options["width"], options["radius"])
        return 0


def _products() -> Sequence[Path]:
    """Stokes products of the reduction in the current directory."""
    from vampires.commands.night import night_config

    config = night_config()
    found = sorted((config.folder / "pdi").glob(f"{config.name}*_stokes_coll.fits"))
    if not found:
        raise FileError(f"{config.folder / 'pdi'}: no Stokes product yet; make it: doit pdi")
    return found


def _read_off(frame: StokesFrame, path: Path, width: float, radius: float) -> None:
    from vampires.io.products import write_table
    from vampires.plotting.figures import save_figure
    from vampires.plotting.stokes import plot_readouts

    stem = path.name.removesuffix(".fits").removesuffix("_coll").removesuffix("_stokes")
    for name in frame.fields:
        own = stem if len(frame.fields) == 1 else f"{stem}_{name}"
        target = path.with_name(f"{own}_profile.ecsv")
        table = frame.profile(width, name)
        write_table(target, table)
        figure = plot_readouts(
            table, frame.r2_scaled("Q_PHI", name), frame.snr_map(name), frame.pixel_scale, name,
            frame.unit,
        )  # fmt: skip
        save_figure(figure, target.with_suffix(".png"))
        best = max((float(value) for value in table["snr"] if value == value), default=math.nan)
        say(f"{name}: {len(table)} annuli, best S/N of Q_phi {best:.1f}")
        say(f"  wrote {os.path.relpath(target)}, .csv, .png")
    star = path.with_name(f"{stem}_star.ecsv")
    write_table(star, _star_table(frame, radius))
    for name, p in zip(frame.fields, frame.polarisation(radius), strict=True):
        say(f"{name}: star within {radius:g} px {100 * p.degree:.3f} +- {100 * p.degree_err:.3f} % "
            f"at {p.angle:.1f} +- {p.angle_err:.1f} deg")  # fmt: skip
    say(f"  wrote {os.path.relpath(star)}, .csv")


def _star_table(frame: StokesFrame, radius: float) -> Any:
    from astropy.table import Table

    rows = [
        (name, radius, p.flux, p.q, p.q_err, p.u, p.u_err, p.degree, p.degree_err, p.angle,
         p.angle_err)
        for name, p in zip(frame.fields, frame.polarisation(radius), strict=True)
    ]  # fmt: skip
    names = ("field", "radius", "flux", "q", "q_err", "u", "u_err", "degree", "degree_err", "angle",
             "angle_err")  # fmt: skip
    return Table(rows=rows, names=names)
