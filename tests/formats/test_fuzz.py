"""Headers of every era, spoilt in every way: a plan, or one clear error, never a traceback.

The files are sparse: headers with as much room for pixels as they announce, and no pixels.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from vampires.config import config_from_dict
from vampires.cube import CameraCube
from vampires.errors import VampiresError
from vampires.night.controller import is_controller
from vampires.night.index import build_index
from vampires.night.plan import Plan, make_plan
from vampires.night.record import Record
from vampires.night.sorting import sort_files
from vampires.night.table import header_table

HEADERS = Path(__file__).parents[1] / "data" / "headers"
ERAS = sorted(path.stem for path in HEADERS.glob("*.header"))
NFRAMES = 2

MISSING = None
ABSURD = (-1, 0, 1e30, -1e30, 3.7, "", "   ", "nonsense", True, "../../etc", "99:99:99")
KEYWORDS = (
    "OBJECT", "DATE-OBS", "UT", "UT-STR", "UT-END", "MJD", "MJD-STR", "MJD-END", "DATA-TYP",
    "EXPTIME", "RA", "DEC", "ALTITUDE", "AZIMUTH", "AIRMASS", "D_IMRANG", "D_IMRMOD", "D_IMRPAP",
    "OBS-MOD", "FILTER01", "FILTER02", "U_FILTER", "U_CAMERA", "U_FLC", "U_FLCST", "U_FLCSTT",
    "U_EMGAIN", "U_DETMOD", "U_AQTINT", "U_HWPANG", "RET-ANG1", "RET-MOD1", "U_SYNC", "U_NPOLST",
    "PRD-MIN1", "PRD-MIN2", "PRD-RNG1", "DETECTOR", "NDIT", "INSTRUME", "U_OGFNAM", "U_FLDSTP",
    "X_GRDSEP", "X_GRDST", "EQUINOX", "RADESYS", "CRPIX1", "CRPIX2B", "WCSNAMEC", "GAIN",
)  # fmt: skip
OTHER_ERAS = (
    {"U_EMGAIN": 300.0}, {"U_DETMOD": "FAST"}, {"ACQNCYCS": 10}, {"U_FLCSTT": 2},
    {"U_HWPANG": 45.0}, {"U_AQTINT": 1e6}, {"MJD-STR": 61000.0}, {"MJD-STR": 59000.5},
    {"OBS-MOD": "IPOL_MBI"}, {"OBS-MOD": "IPOL_MBIR"}, {"OBS-MOD": "IMAG_SDI_PUP"},
    {"INSTRUME": "CHARIS"}, {"DETECTOR": "VCAM2 - OrcaQ"}, {"DATA-TYP": "ACQUISITION"},
    {"DATA-TYP": "STANDARD"}, {"DATA-TYP": "DOMEFLAT"}, {"RAWFMT": "controller"},
    {"CALTYPE": "FLAT"}, {"CALTYPE": "nonsense"},
)  # fmt: skip


def variants(era: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Name of a spoilt header, and the cards to change (None: to remove)."""
    raw = fits.Header.fromtextfile(HEADERS / f"{era}.header")
    rng = np.random.default_rng(len(era))
    for keyword in KEYWORDS:
        if keyword in raw:
            yield f"{keyword} missing", {keyword: MISSING}
            for value in rng.choice(np.array(ABSURD, dtype=object), 2, replace=False):
                yield f"{keyword} = {value!r}", {keyword: value}
    for cards in OTHER_ERAS:
        yield str(cards), cards


def write_sparse(path: Path, era: str, cards: dict[str, object]) -> None:
    """Write a file whose header is right in its structure, and has no pixels."""
    raw = fits.Header.fromtextfile(HEADERS / f"{era}.header")
    raw["NAXIS3"] = NFRAMES
    for keyword, value in cards.items():
        if value is MISSING:
            del raw[keyword]
        else:
            raw[keyword] = value
    text = raw.tostring().encode("ascii")
    size = 2 * NFRAMES * int(raw["NAXIS1"]) * int(raw["NAXIS2"])
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as stream:
        stream.write(text)
        stream.truncate(len(text) + -(-size // 2880) * 2880)


def plan_of(folder: Path) -> Plan:
    return make_plan(config_from_dict({"data": {"raw": ["raw/*.fits"]}}, folder / "night.toml"))


def check(record: Record, plan: Plan, cards: dict[str, object]) -> str | None:
    """What is wrong with the way a file was taken; None when nothing is."""
    if not record["ok"]:
        return refusal(record["reason"] or "", record, cards)
    if is_controller(record) or record["kind"] != "science":
        return None
    if not any(record["path"] in group.paths for group in plan.groups):
        return "is in no group"
    plan.masters_of(record)
    try:
        cube = CameraCube.open([record["path"]])
    except VampiresError as error:  # what a task would say
        return refusal(str(error), record, cards)
    if not np.isfinite([cube.header["DEROTANG"], *cube.rough.ravel()]).all():
        return "has no geometry"
    return None


def refusal(text: str, record: Record, cards: dict[str, object]) -> str | None:
    """What is wrong with an error message: it names file and keyword, in one line."""
    if "\n" in text or Path(record["path"]).name not in text:
        return f"not one line that names the file: {text!r}"
    named = set(re.findall(r"[A-Z][A-Z0-9_-]+", text))
    if not named & {*cards, *_related(cards)}:
        return f"names none of {list(cards)}: {text!r}"
    return None


def _related(cards: dict[str, object]) -> set[str]:
    """Keywords that are rightly named when another one is spoilt or missing."""
    related = {
        "UT-STR": {"MJD-STR", "MJD-END"}, "UT-END": {"MJD-END", "MJD-STR"},
        "MJD-STR": {"UT-STR", "MJD-END"}, "MJD-END": {"UT-END", "MJD-STR"},
        "OBS-MOD": {"RET-ANG1", "FILTER", "F610", "F670", "WCSNAME"}, "U_HWPANG": {"RET-ANG1"},
        "CALTYPE": {"ERR"}, "PRD-MIN1": {"NAXIS1"}, "PRD-MIN2": {"NAXIS2"},
        "CRPIX1": {"CRPIX1"}, "U_AQTINT": {"EXPTIME"}, "D_IMRANG": {"ALTITUDE"},
    }  # fmt: skip
    return set().union(*(related.get(keyword, set()) for keyword in cards))


@pytest.mark.parametrize("era", ERAS)
def test_spoilt_headers_give_a_plan_or_one_clear_error(era: str, tmp_path: Path) -> None:
    cases = list(variants(era))
    for number, (_, cards) in enumerate(cases):
        write_sparse(tmp_path / "raw" / f"VMPA{number:08d}.fits", era, cards)
    plan = plan_of(tmp_path)
    by_name = {record["name"]: record for record in plan.records}
    assert len(by_name) == len(cases)
    wrong = {
        f"{number} {name}": problem
        for number, (name, cards) in enumerate(cases)
        if (problem := check(by_name[f"VMPA{number:08d}"], plan, cards)) is not None
        and era != "ancient_2017"
    }
    assert wrong == {}


def test_there_are_enough_variants() -> None:
    assert sum(len(list(variants(era))) for era in ERAS) >= 300


@pytest.mark.parametrize("era", ["emccd_stars_2022", "qcmos_mbi_2024"])
def test_sort_and_table_take_spoilt_headers(era: str, tmp_path: Path) -> None:
    cases = list(variants(era))
    for number, (_, cards) in enumerate(cases):
        write_sparse(tmp_path / "raw" / f"VMPA{number:08d}.fits", era, cards)
    paths = sorted((tmp_path / "raw").iterdir())
    assert len(header_table(paths)) == len(cases)
    results = sort_files(paths, tmp_path / "sorted", action="link")
    assert len(results) == len(cases)
    assert all(r.target is None or (tmp_path / "sorted") in r.target.parents for r in results)


@settings(deadline=None, max_examples=60)
@given(
    era=st.sampled_from(ERAS),
    keyword=st.sampled_from(KEYWORDS),
    value=st.one_of(
        st.integers(-(2**40), 2**40),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
        st.booleans(),
    ),
)
def test_any_value_of_any_keyword_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, era: str, keyword: str, value: object
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    write_sparse(folder / "raw" / "VMPA00000001.fits", era, {keyword: value})
    (record,) = build_index(["raw/*.fits"], folder)
    if record["ok"] and record["kind"] == "science" and not is_controller(record):
        with contextlib.suppress(VampiresError):
            CameraCube.open([record["path"]])
    assert record["ok"] or "\n" not in (record["reason"] or "\n")
