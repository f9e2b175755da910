"""``doit target NAME``: the star's place, motion, brightness and type into the configuration."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from doit import get_var

from vampires.commands.base import PersonCommand, assigned, say
from vampires.config import find_config, load_config
from vampires.config.option import as_toml
from vampires.config.write import Setting, apply_settings, write_config
from vampires.errors import ConfigError

if TYPE_CHECKING:
    from vampires.sky.catalogue import StarFacts


class Target(PersonCommand):
    """Look a star up, or take its values, and write them down."""

    name = "target"
    doc_purpose = "look the star up in SIMBAD and write it into the configuration"
    doc_usage = "[NAME] [--ra H:M:S --dec D:M:S] [--mag BAND=VALUE] ..."
    doc_description = (
        "Fills [target] (place, proper motion, parallax) and [specphot] (spectral type, "
        "magnitude) of the configuration in this folder; comments stay. NAME is looked up in "
        "SIMBAD, which needs a network and: pip install 'vampires[target]'. Options win over "
        "what SIMBAD says; with --ra and --dec nothing is looked up. A NAME takes the place of "
        "the star before, of which nothing is kept; without NAME only what is given changes.\n\n"
        "Example: doit target 'AB Aur'\n"
        "Example: doit target 'AB Aur' --ra 04:55:45.85 --dec +30:33:04.3 --mag V=7.05"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {"name": "ra", "long": "ra", "default": None, "help": "right ascension, hours, ICRS"},
        {"name": "dec", "long": "dec", "default": None, "help": "declination, degrees, ICRS"},
        {
            "name": "epoch", "long": "epoch", "default": "J2016",
            "help": "epoch of --ra and --dec; Gaia DR3 has J2016, SIMBAD J2000",
        },
        {
            "name": "pm_ra", "long": "pm-ra", "type": float, "default": None,
            "help": "proper motion in right ascension with cos(dec), mas/yr",
        },
        {
            "name": "pm_dec", "long": "pm-dec", "type": float, "default": None,
            "help": "proper motion in declination, mas/yr",
        },
        {
            "name": "parallax", "long": "parallax", "type": float, "default": None,
            "help": "parallax, mas",
        },
        {
            "name": "sptype", "long": "sptype", "default": None,
            "help": "spectral type, such as A0V",
        },
        {
            "name": "mag", "long": "mag",
            "type": bool,  # its value never arrives here: see `assigned`
            "default": False,
            "help": "followed by BAND=VALUE: magnitude; r and i are AB, U B V R I J H K Vega",
        },
    )  # fmt: skip

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Take ``--mag=V=7`` for ``--mag V=7``, whose value doit has set aside."""
        words, rest = assigned(in_args, "mag")
        self._magnitudes = [word for word in words if not word.startswith("config=")]
        return super().parse_execute(rest)

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Look up, write, say what was written."""
        path = find_config(Path.cwd(), get_var("config"))
        if path is None:
            raise ConfigError(f"{Path.cwd()}: no configuration here; make one: doit new NAME.toml")
        name = " ".join(arguments)
        settings = _facts(name, options, self._magnitudes).settings(name)
        if not settings:
            raise ConfigError("which star? `doit target NAME`, or values (see `doit help target`)")
        load_config(path)  # what is wrong already is said first
        text = path.read_text(encoding="utf-8")
        write_config(path, apply_settings(text, settings))
        before = tomllib.loads(text)
        for setting in settings:
            if setting.value is not None or setting.key in before.get(setting.section, {}):
                say(f"  {_shown(setting)}")
        say(f"wrote {os.path.relpath(path)}")
        return 0


def _facts(name: str, options: dict[str, Any], magnitudes: Sequence[str]) -> StarFacts:
    """What SIMBAD knows, where it is asked, and what the options say, which wins."""
    # Imported here: every doit command loads this module.
    from vampires.flux.star import star_of_type
    from vampires.sky.catalogue import StarFacts, look_up

    placed = options["ra"] is not None or options["dec"] is not None
    if placed and None in (options["ra"], options["dec"]):
        raise ConfigError("--ra and --dec belong together; give both")
    facts = StarFacts()
    if name and not placed:
        facts = look_up(name)
        if facts.sptype is not None and not _is_in_library(facts.sptype):
            facts = replace(facts, sptype=None)
        _say_found(facts)
    given = {
        key: options[key]
        for key in ("ra", "dec", "pm_ra", "pm_dec", "parallax", "sptype")
        if options[key] is not None
    }
    if options["sptype"] is not None:
        star_of_type(options["sptype"], 0.0, "V", "750-50")  # raises: no such type
    if placed:
        given["epoch"] = options["epoch"]
    if options["mag"] or magnitudes:
        given["magnitudes"] = _magnitude(magnitudes)
    return replace(facts, **given)


def _is_in_library(sptype: str) -> bool:
    from vampires.flux.star import star_of_type

    try:
        star_of_type(sptype, 0.0, "V", "750-50")
    except ConfigError:
        return False
    return True


def _magnitude(words: Sequence[str]) -> dict[str, float]:
    """Band and magnitude of ``V=7.1``."""
    if len(words) != 1:
        found = " ".join(words) or "nothing"
        raise ConfigError(f"--mag: one BAND=VALUE, such as V=7.1, is needed; found {found}")
    band, _, value = words[0].partition("=")
    try:
        return {band: float(value)}
    except ValueError:
        raise ConfigError(f"--mag {words[0]}: {value!r} is not a magnitude") from None


def _say_found(facts: StarFacts) -> None:
    say(f"SIMBAD: {facts.name}")
    others = [f"{band}={value:g}" for band, value in facts.magnitudes.items()][1:]
    if others:
        say(f"  other magnitudes it has: {', '.join(others)}; to take one: --mag {others[0]}")
    if not facts.magnitudes:
        say("  it has no magnitude in r, R, i, I or V; give one: --mag BAND=VALUE")
    if facts.sptype is None:
        say("  it has no spectral type that the library knows; give one: --sptype A0V")


def _shown(setting: Setting) -> str:
    where = f"[{setting.section}] {setting.key}"
    return f"{where} taken out" if setting.value is None else f"{where} = {as_toml(setting.value)}"
