"""The exposure time of a frame: which of the cards that give one can be true."""

from __future__ import annotations

from vampires.header.cards import CardReader
from vampires.header.times import SECONDS_PER_DAY, ExposureTimes

_SLACK = 2.0  # s by which start and end may be off: some clocks are cut to whole seconds
_MARGIN = 1.05
_SAME = 0.01  # relative difference below which two cards agree


def exposure_time(cards: CardReader, times: ExposureTimes, nframes: int) -> float:
    """Exposure time of a frame, s.

    Parameters
    ----------
    cards : CardReader
        Raw header: ``EXPTIME`` (s) and, of the EMCCD, ``U_AQTINT`` (us).
    times : ExposureTimes
        Start and end of the cube.
    nframes : int
        Its number of frames.

    Returns
    -------
    float

    Raises
    ------
    HeaderError
        No card gives it, or none that does fits between start and end.

    Notes
    -----
    Frames follow one another, so all but one of them fit between start and end (the clocks of
    some files are those of the first and last frame). Some EMCCD files have the sum over the
    frames as ``EXPTIME``; ``U_AQTINT`` is always that of a frame.
    """
    stated = cards.number("EXPTIME", 1e-6, 86400.0)
    microseconds = cards.usable_number("U_AQTINT", 1.0, 86400e6)
    integration = None if microseconds is None else microseconds / 1e6
    if stated is None:
        if cards.has_blank("EXPTIME"):
            cards.note("EXPTIME is empty")
        return cards.need(integration, "EXPTIME or U_AQTINT", "exposure time of a frame")
    if integration is not None and abs(integration - stated) > _SAME * stated:
        if _fits(integration, times, nframes):
            cards.note(f"EXPTIME was {stated:g}, U_AQTINT says {integration:g} s")
            return integration
    elif _fits(stated, times, nframes):
        return stated
    span = (times.end - times.start) * SECONDS_PER_DAY
    return cards.fail(
        "EXPTIME", f"{stated:g} s, for {nframes} frames taken within {span:.1f} s",
        "a time that fits between MJD-STR and MJD-END",
    )  # fmt: skip


def _fits(exptime: float, times: ExposureTimes, nframes: int) -> bool:
    span = (times.end - times.start) * SECONDS_PER_DAY
    return span == 0 or (nframes - 1) * exptime <= _MARGIN * span + _SLACK
