"""Readers for the few values whose TOML form needs more than a type: sizes, angles, frame lists."""

from __future__ import annotations

import datetime
import re
from typing import Any

from vampires.utils.angles import sexagesimal

_MEMORY_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_MEMORY_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_MINIMUM_MEMORY = 64 * 10**6
# a text, not a compiled pattern: few configurations need it, every start would pay for it
_EPOCH = r"[JB]\d{4}(\.\d*)?|\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d*)?)?)?"
_KINDS = ("science", "background", "sky", "flat", "pinhole")
_REQUIREMENTS = ("background", "flat")


def memory_bytes(text: str) -> int:
    """Turn a text such as "2 GB" or "500 MiB" into bytes.

    Parameters
    ----------
    text : str
        Number and unit (B, kB, MB, GB, TB, or their binary forms KiB, MiB ...).

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ValueError
        With what is allowed.

    Examples
    --------
    >>> memory_bytes("2 GB")
    2000000000
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]+)\s*", text)
    if match is None or match[2].upper() not in _MEMORY_UNITS:
        raise ValueError('a size such as "2 GB", "500 MB" or "1.5 GiB"')
    size = int(float(match[1]) * _MEMORY_UNITS[match[2].upper()])
    if size < _MINIMUM_MEMORY:
        raise ValueError('at least "64 MB": a chunk of frames must fit')
    return size


def read_sync(value: Any) -> bool | str:
    """Accept true, false, or "auto"."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() == "auto":
        return "auto"
    raise ValueError('true, false or "auto"')


def read_memory(value: Any) -> str:
    """Accept a size text, kept as it is written once it is known to be readable."""
    text = value.strip() if isinstance(value, str) else ""
    memory_bytes(text)
    return text


def sky_angle(text: str) -> float:
    """Turn "04:55:45.8", "4h55m45.8s" or a decimal number into its first unit.

    Parameters
    ----------
    text : str
        See `vampires.utils.angles.sexagesimal`; or one number.

    Returns
    -------
    float
        Hours or degrees, whichever the first number is.

    Raises
    ------
    ValueError
        If it is neither.
    """
    try:
        return float(text)
    except ValueError:
        return sexagesimal(text)


def read_ra(value: Any) -> str:
    """Accept a right ascension in hours."""
    return _read_angle(value, 0.0, 24.0, 'hours such as "04:55:45.8", in quotes, from 0 to 24')


def read_dec(value: Any) -> str:
    """Accept a declination in degrees."""
    return _read_angle(value, -90.0, 90.0, 'degrees such as "+30:33:04", in quotes, -90 to 90')


def read_epoch(value: Any) -> str:
    """Accept an epoch: "J2016", "2016-01-01" or a TOML date."""
    if isinstance(value, datetime.date | datetime.datetime):
        value = value.isoformat()
    if not isinstance(value, str) or not re.fullmatch(_EPOCH, value):
        raise ValueError('an epoch such as "J2016" or "2016-01-01"')
    return value


def read_annulus(value: Any) -> tuple[float, float] | None:
    """Accept ``false`` (none) or ``[inner, outer]`` radii in pixels."""
    if value is False:
        return None
    wrong = ValueError("false, or [inner, outer] in px with 0 < inner < outer")
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong
    if any(isinstance(radius, bool) or not isinstance(radius, int | float) for radius in value):
        raise wrong
    inner, outer = float(value[0]), float(value[1])
    if not 0 < inner < outer < float("inf"):
        raise wrong
    return inner, outer


def read_requirements(value: Any) -> tuple[str, ...]:
    """Accept a list of the calibrations that must be there."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or any(item not in _REQUIREMENTS for item in items):
        raise ValueError('a list of "background", "flat" (or empty)')
    return tuple(name for name in _REQUIREMENTS if name in items)


def read_kinds(value: Any) -> tuple[str, ...]:
    """Accept a list of kinds of raw files."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or any(item not in _KINDS for item in items):
        raise ValueError(f"a list of {', '.join(_KINDS)} (or empty)")
    return tuple(name for name in _KINDS if name in items)


def read_frame_lists(value: Any) -> dict[str, tuple[int, ...]]:
    """Accept a table of file name = [frame numbers counted from 0]; sorted, without repeats."""
    wrong = ValueError("a table of file name = [frame numbers counted from 0]")
    if not isinstance(value, dict):
        raise wrong
    for frames in value.values():
        if not isinstance(frames, list | tuple):
            raise wrong
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in frames):
            raise wrong
    return {name: tuple(sorted(set(value[name]))) for name in sorted(value)}


_FIX_KEYS = {"files", "from", "until", "set", "table"}
_CARD = r"[A-Z0-9_-]{1,8}"
_LAYOUT = r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|BZERO|BSCALE|PCOUNT|GCOUNT|END"


def read_fixes(value: Any) -> tuple[dict[str, Any], ...]:
    """Accept ``[[data.fix]]`` tables: files and times, and the cards to set or a table of them."""
    if not isinstance(value, list | tuple) or not all(isinstance(fix, dict) for fix in value):
        raise ValueError(
            'tables [[data.fix]] with "files" (names or patterns), "from", "until" (UTC), and '
            '"set" (cards and values) or "table" (a CSV file)'
        )
    return tuple(_read_fix(fix, number) for number, fix in enumerate(value, start=1))


def _read_fix(fix: dict[str, Any], number: int) -> dict[str, Any]:
    which = f"[[data.fix]] {number}"
    unknown = sorted(set(fix) - _FIX_KEYS)
    if unknown:
        raise ValueError(f"{which} without {unknown[0]}: its keys are {', '.join(_FIX_KEYS)}")
    files = fix.get("files", [])
    files = [files] if isinstance(files, str) else files
    if not isinstance(files, list | tuple) or not all(isinstance(name, str) for name in files):
        raise ValueError(f"{which} with files = names or patterns in quotes")
    cards = fix.get("set", {})
    if not isinstance(cards, dict) or not all(map(_is_card, cards.items())):
        raise ValueError(
            f"{which} with set = {{ KEYWORD = number, text, true or false }}; cards that describe "
            "the pixels cannot be set"
        )
    table = fix.get("table", "")
    if not isinstance(table, str) or bool(table) == bool(cards):
        raise ValueError(f"{which} with either set = {{...}} or table = a CSV file")
    moments = {key: _read_moment(fix.get(key, ""), which, key) for key in ("from", "until")}
    if cards and not files and not any(moments.values()):
        raise ValueError(f"{which} with files, from or until: which files are meant")
    return {"files": list(files), **moments, "set": dict(cards), "table": table}


def _is_card(card: tuple[str, Any]) -> bool:
    key, value = card
    named = re.fullmatch(_CARD, key) and not re.fullmatch(_LAYOUT, key)
    return bool(named) and isinstance(value, bool | int | float | str)


def _read_moment(value: Any, which: str, key: str) -> str:
    if isinstance(value, datetime.date | datetime.datetime):
        value = value.isoformat()
    try:
        if value:
            datetime.datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise ValueError(f'{which} with {key} = a UTC time such as "2022-02-24T07:21"') from None
    return value


def read_ratios(value: Any) -> dict[str, float]:
    """Accept a table of filter name = ratio between 0 and 1."""
    wrong = ValueError("a table of filter name = ratio, above 0 and below 1")
    if not isinstance(value, dict):
        raise wrong
    for ratio in value.values():
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1:
            raise wrong
    return {name: float(value[name]) for name in sorted(value)}


def read_curve_files(value: Any) -> dict[str, str]:
    """Accept a table of filter name = file."""
    wrong = ValueError("a table of filter name = file name in quotes")
    if not isinstance(value, dict) or not all(isinstance(path, str) for path in value.values()):
        raise wrong
    return {name: value[name] for name in sorted(value)}


def read_range(value: Any) -> tuple[int, int]:
    """Accept ``[fewest, most]``, whole numbers."""
    wrong = ValueError("[fewest, most], whole numbers with 0 <= fewest <= most and most >= 1")
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong
    if any(isinstance(n, bool) or not isinstance(n, int) for n in value):
        raise wrong
    fewest, most = value
    if not (0 <= fewest <= most and most >= 1):
        raise wrong
    return fewest, most


def read_options(value: Any) -> dict[str, Any]:
    """Accept a table of numbers, texts, booleans and lists of texts."""
    wrong = ValueError("a table of numbers, texts, booleans and lists of texts")
    if not isinstance(value, dict):
        raise wrong
    for item in value.values():
        parts = item if isinstance(item, list | tuple) else [item]
        if any(not isinstance(part, str | int | float) for part in parts):
            raise wrong
    return {key: list(item) if isinstance(item, tuple) else item for key, item in value.items()}


def _read_angle(value: Any, low: float, high: float, allowed: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    try:
        angle = sky_angle(text)
    except ValueError:
        raise ValueError(allowed) from None
    if not low <= angle <= high:
        raise ValueError(allowed)
    return text
