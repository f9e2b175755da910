"""Raw files of a long night, made of the few of a short one: more frames, and links.

A few hundred files of a few hundred frames take half an hour to simulate and tens of gigabytes.
Their pixels do not matter to a clock: each file of one cycle is lengthened by repeating its
frames, and linked under other names for the later cycles. Corrections of the headers, as a
person would write them, tell the links apart.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from vampires.night.index import build_index

__all__ = ["lengthen", "repeat_cycle"]

_GAP = 300.0  # s from one cycle to the next, beside its own length


def lengthen(raw: Path, times: int) -> None:
    """Repeat the frames of all science files.

    Parameters
    ----------
    raw : Path
        Folder of raw files.
    times : int
        How often.
    """
    for path in _science(raw):
        with fits.open(path) as hdus:
            data, header = hdus[0].data, hdus[0].header
            whole = np.concatenate([data] * times)
        fits.writeto(path, whole, header, overwrite=True)


def repeat_cycle(raw: Path, cycles: int) -> str:
    """Link the science files of one cycle as those of later ones.

    Parameters
    ----------
    raw : Path
        Folder of raw files.
    cycles : int
        How many there are to be in all.

    Returns
    -------
    str
        ``[[data.fix]]`` tables (TOML) that give each link its time and name.
    """
    files = [(path, fits.getheader(path)) for path in _science(raw)]
    length = max(h["MJD-END"] for _, h in files) - min(h["MJD-STR"] for _, h in files)
    tables = []
    for cycle in range(1, cycles):
        later = cycle * (length + _GAP / 86400)
        for number, (path, header) in enumerate(files):
            link = raw / f"VMPA{30000 + cycle * 100 + number:08d}.fits"
            os.link(path, link)
            tables.append(_fix(link.stem, header, later))
    return "\n".join(tables)


def _science(raw: Path) -> list[Path]:
    """Files of the star."""
    records = build_index(str(raw / "*.fits"))
    return [Path(record["path"]) for record in records if record["kind"] == "science"]


def _fix(name: str, header: fits.Header, later: float) -> str:
    """Correction that makes an exposure a later one, by some days."""
    cards = {"FRAMEID": name}
    for end in ("STR", "END"):
        time = Time(header[f"MJD-{end}"], format="mjd").to_datetime() + timedelta(days=later)
        cards[f"MJD-{end}"] = round(header[f"MJD-{end}"] + later, 8)
        cards[f"UT-{end}"] = time.strftime("%H:%M:%S.%f")[:-3]
    cards["MJD"] = round(header["MJD"] + later, 8)
    cards["UT"] = cards["UT-STR"]
    values = ", ".join(f"{key} = {json.dumps(value)}" for key, value in cards.items())
    return f'[[data.fix]]\nfiles = "{name}"\nset = {{ {values} }}\n'
