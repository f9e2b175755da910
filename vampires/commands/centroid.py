"""``doit centroid``: show where the star was found, and correct it by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from vampires.commands.base import PersonCommand, ask, has_terminal, say
from vampires.errors import ConfigError, FileError, VampiresError

if TYPE_CHECKING:
    import numpy as np

    from vampires.instrument.detectors import Generation
    from vampires.measure.star import RoughCentroid
    from vampires.night.plan import Plan
    from vampires.night.record import Record

_NUMBER = r"\s*(-?\d+(?:\.\d*)?)\s*"
_NEAR = 60  # pixels about the star in which the other of a binary is looked for


@dataclass
class Places:
    """Where to look in the fields of one camera of one setup.

    Positions are those of the raw frame, 0-based (y, x): what a person sees in DS9, less one.
    """

    plan: Plan
    camera: int
    records: Sequence[Record]
    fields: dict[str, RoughCentroid]

    @property
    def path(self) -> Path:
        """The centroid file."""
        return self.plan.layout.centroids(self.camera)

    @property
    def label(self) -> str:
        """Camera, with the setup where there are several."""
        return self.plan.named(f"cam{self.camera}")

    @property
    def names(self) -> tuple[str, ...]:
        """Fields of the camera."""
        return tuple(self.records[0]["fields"])

    @property
    def height(self) -> int:
        """Rows of the raw frame."""
        return self.records[0]["ny"]

    @property
    def flip(self) -> bool:
        """Whether the frames are turned upside down when they are calibrated."""
        from vampires.instrument.detectors import is_flipped

        return is_flipped(cast("Generation", self.records[0]["generation"]), self.camera)

    def mean(self) -> np.ndarray:
        """Mean of some frames, as on disk."""
        from vampires.measure.quicklook import look

        return look(self.records[0]["path"]).mean


class Centroid(PersonCommand):
    """Rough centroids: show, correct, write by hand."""

    name = "centroid"
    doc_purpose = "show where the star was found, and correct it"
    doc_usage = "[--manual] [--binary] [--place CAM:FIELD:X,Y]... [--no-window]"
    doc_description = (
        "Finds the star (or the satellite spots, or the limb of a planet) where that has not been "
        "done, shows what was found for each camera and field, and takes corrections: with a "
        "display by clicks, else at the prompt. Pixels are x, y as DS9 shows them on the raw "
        "frame (1-based).\n\n"
        "A file that was corrected is kept as written; what reads it is made again by the next "
        "`doit`. Delete it to have it made automatically. Region files for raw and for calibrated "
        "frames are written beside it.\n\n"
        "Example: doit centroid --place cam1:750-50:131.2,128.0"
    )
    cmd_options: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "name": "manual", "long": "manual", "short": "m", "type": bool, "default": False,
            "help": "find nothing automatically: ask for every camera, field and spot",
        },
        {
            "name": "binary", "long": "binary", "short": "b", "type": bool, "default": False,
            "help": "list the stars near the one found and ask which is the primary",
        },
        {
            "name": "place", "long": "place", "short": "p", "type": list, "default": [],
            "help": "CAM:FIELD:X,Y, or four pairs for satellite spots; repeatable",
        },
        {
            "name": "no_window", "long": "no-window", "type": bool, "default": False,
            "help": "the prompt, even with a display",
        },
    )  # fmt: skip

    def run(self, options: dict[str, Any], arguments: list[str]) -> int:
        """Find, show, ask, write."""
        # Imported here: every doit command loads this module, few look for stars.
        from vampires.commands.night import has_display, night_plan

        if arguments:
            raise ConfigError(f"no argument expected, found {arguments[0]!r}")
        asking = has_terminal()
        if (options["manual"] or options["binary"]) and not asking:
            raise ConfigError("--manual and --binary need a terminal; use --place")
        plan = night_plan()
        tried = _places(plan)
        for text in options["place"]:  # a slip is refused before anything is looked for
            _put(tried, text)
        if not options["manual"]:
            status = _find(plan, options["place"])
            if status:
                say("correct what was not found: doit centroid --manual, or --place")
                return status
        everything = _places(plan)
        before = [dict(item.fields) for item in everything]
        if options["place"]:
            for text in options["place"]:
                _put(everything, text)
        elif options["manual"] or options["binary"]:
            change = _pick_primary if options["binary"] else _ask_all
            for item in everything:
                change(item)
        elif not options["no_window"] and has_display():
            from vampires.commands.centroid_window import CentroidWindow

            for item in everything:
                _show(item)
                CentroidWindow(item).run()
        else:
            for item in everything:
                _show(item)
                if asking:
                    _ask_all(item)
        for item, old in zip(everything, before, strict=True):
            if item.fields != old:
                _write(item)
        return 0


def _find(plan: Plan, placed: Sequence[str]) -> int:
    """Run the tasks that find the star, unless a person says where it is."""
    wanted = [f"centroids:{item.label}" for item in _places(plan)
              if not any(text.startswith(f"{item.label}:") for text in placed)]  # fmt: skip
    paths = [name for name in wanted if not _by_hand(plan, name)]
    if not paths:
        return 0
    command = [sys.executable, "-m", "doit", "run", *paths]
    if plan.config.path is not None:
        command.insert(4, f"config={plan.config.path}")
    return subprocess.call(command)


def _by_hand(plan: Plan, task: str) -> bool:
    from vampires.tasks.measure import is_written_by_hand

    return any(
        f"centroids:{item.label}" == task and is_written_by_hand(item.path)
        for item in _places(plan)
    )


def _places(plan: Plan) -> list[Places]:
    """What is known of every camera of every setup."""
    found = []
    for part in plan.parts:
        for camera in sorted({group.camera for group in part.groups}):
            records = [r for g in part.groups if g.camera == camera for r in g.records]
            item = Places(part, camera, records, {})
            if item.path.exists():
                item.fields = _read(item)
            found.append(item)
    if not found:
        raise FileError("no science file: nothing to look for a star in")
    return found


def _read(item: Places) -> dict[str, RoughCentroid]:
    from vampires.measure.centroid_files import read_centroids

    mirror = item.height if item.flip else None
    fields = read_centroids(item.path, item.camera, mirror)
    return fields if mirror is None else {k: v.mirrored(mirror) for k, v in fields.items()}


def _put(everything: Sequence[Places], text: str) -> None:
    """Take one ``--place``."""
    label, _, rest = text.partition(":")
    name, _, numbers = rest.rpartition(":")
    chosen = [item for item in everything if item.label == label]
    if not chosen:
        known = ", ".join(item.label for item in everything)
        raise ConfigError(f"--place {text}: no camera {label!r}; there are {known}")
    item = chosen[0]
    if name not in item.names:
        raise ConfigError(f"--place {text}: no field {name!r}; {label} has {', '.join(item.names)}")
    item.fields[name] = _centroid(parse_pairs(numbers), item, item.fields.get(name))


def parse_pairs(text: str) -> list[tuple[float, float]]:
    """Read one pair x, y or four, as DS9 counts; (y, x) 0-based.

    Examples
    --------
    >>> parse_pairs("131.2, 128")
    [(127.0, 130.2)]
    """
    numbers = [part for part in re.split(r"[,;\s]+", text.strip(" []()")) if part]
    if len(numbers) not in (2, 8) or not all(re.fullmatch(_NUMBER, part) for part in numbers):
        raise ConfigError(f"{text!r}: expected x, y; or four pairs for satellite spots")
    values = [float(part) - 1 for part in numbers]
    return [(round(y, 6), round(x, 6)) for x, y in zip(values[::2], values[1::2], strict=True)]


def _centroid(
    pairs: Sequence[tuple[float, float]], item: Places, old: RoughCentroid | None
) -> RoughCentroid:
    """Star, or spots, at these places; within the frame."""
    from vampires.measure.star import RoughCentroid

    ny, nx = item.records[0]["ny"], item.records[0]["nx"]
    for y, x in pairs:
        if not (-0.5 <= y <= ny - 0.5 and -0.5 <= x <= nx - 0.5):
            raise ConfigError(f"x, y = {x + 1:g}, {y + 1:g}: the frame has {nx} x {ny} pixels")
    spots = tuple(pairs) if len(pairs) == 4 else ()
    y, x = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    return RoughCentroid((y, x), spots, None if old is None else old.radius)


def _show(item: Places) -> None:
    """Say what was found."""
    say(f"{item.label}, {os.path.relpath(item.path)}")
    for name in item.names:
        found = item.fields.get(name)
        if found is None:
            say(f"  {name:8s} not there")
            continue
        radius = "" if found.radius is None else f", radius {found.radius:.1f} px"
        say(f"  {name:8s} star at x, y = {_typed(found.star)}{radius}")
        for number, spot in enumerate(found.spots, start=1):
            say(f"  {'':8s} spot {number} at {_typed(spot)}")


def _typed(place: Sequence[float]) -> str:
    return f"{place[1] + 1:.2f}, {place[0] + 1:.2f}"


def _ask_all(item: Places) -> None:
    """Ask for every field; Enter keeps what is known."""
    count = 4 if item.plan.config.coronagraphic else 1
    say(f"{item.label}: x, y as DS9 shows them on the raw frame ({item.records[0]['name']})")
    for name in item.names:
        old = item.fields.get(name)
        known = list(old.spots or (old.star,)) if old is not None else []
        pairs = [
            _ask_pair(
                f"  {name}" if count == 1 else f"  {name} spot {number + 1}",
                known[number] if len(known) == count else None,
                item,
            )
            for number in range(count)
        ]
        if pairs != known:
            item.fields[name] = _centroid(pairs, item, old)
        if item.plan.config.planetary:
            item.fields[name] = _ask_radius(item.fields[name])


def _ask_pair(
    question: str, known: tuple[float, float] | None, item: Places
) -> tuple[float, float]:
    while True:
        answer = ask(question, "" if known is None else _typed(known))
        if known is not None and answer == _typed(known):
            return known
        try:
            pairs = parse_pairs(answer)
            if len(pairs) != 1:
                raise ConfigError(f"{answer!r}: one pair x, y")  # noqa: TRY301
            _centroid(pairs, item, None)
            return pairs[0]
        except ConfigError as error:
            if not answer:
                raise ConfigError("nothing was given; nothing is written") from None
            say(f"  {error}")


def _ask_radius(found: RoughCentroid) -> RoughCentroid:
    known = "" if found.radius is None else f"{found.radius:.1f}"
    answer = ask("  radius of the disc, px", known)
    if answer == known:
        return found
    if not re.fullmatch(_NUMBER, answer) or float(answer) <= 0:
        raise ConfigError(f"radius {answer!r}: expected a number of pixels above 0")
    return replace(found, radius=float(answer))


def _pick_primary(item: Places) -> None:
    """List the stars about the one found, and let a person choose."""
    from vampires.measure.star import find_stars

    image = item.mean()
    for name, found in item.fields.items():
        y0, x0 = (max(round(value) - _NEAR, 0) for value in found.star)
        stars = find_stars(image[y0 : y0 + 2 * _NEAR + 1, x0 : x0 + 2 * _NEAR + 1])
        say(f"{item.label} {name}: {len(stars)} stars")
        for number, (y, x, height) in enumerate(stars, start=1):
            say(f"  {number}  x, y = {_typed((y + y0, x + x0))}  {height:.0%} of the brightest")
        if not stars:
            continue
        answer = ask("  which is the primary?", "1")
        if not answer.isdigit() or not 1 <= int(answer) <= len(stars):
            raise ConfigError(f"{answer!r}: expected a number from 1 to {len(stars)}")
        y, x, _ = stars[int(answer) - 1]
        item.fields[name] = replace(found, star=(y + y0, x + x0))


def _write(item: Places) -> None:
    """Write the file, and what is looked at beside it."""
    from vampires.io.atomic import atomic_path
    from vampires.measure.centroid_files import draw_centroids, format_centroids, write_regions
    from vampires.plotting.figures import save_figure

    missing = [name for name in item.names if name not in item.fields]
    if missing:
        raise ConfigError(f"{item.label}: {', '.join(missing)} still missing; nothing is written")
    mirror = item.height if item.flip else None
    fields = {name: item.fields[name] for name in item.names}
    if mirror is not None:
        fields = {name: one.mirrored(mirror) for name, one in fields.items()}
    item.path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(item.path) as temporary:
        temporary.write_text(format_centroids(item.camera, fields), encoding="utf-8")
    write_regions(item.path, fields, mirror)
    try:
        image = item.mean()
    except VampiresError as error:
        say(f"no picture: {error}")
    else:
        image = image if mirror is None else image[::-1]
        title = f"{item.plan.config.name} camera {item.camera}, by hand"
        save_figure(draw_centroids(image, fields, title), item.path.with_suffix(".png"))
    say(f"wrote {os.path.relpath(item.path)}")
