"""Write the tables of the instrument page from the package's own data files.

``python docs/instrument_tables.py docs/instrument_tables.md``
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vampires.instrument.detectors import GENERATIONS
from vampires.instrument.tables import load_table

DETECTOR_ROWS = (
    ("full frame (ny, nx)", "full_frame"),
    ("in use from MJD", "first_mjd"),
    ("gain [e-/adu]", "gain"),
    ("bias [adu]", "bias"),
    ("read noise [e-]", "read_noise"),
    ("dark current [e-/s/px]", "dark_current"),
    ("excess noise factor", "excess_noise"),
    ("full well [e-]", "full_well"),
    ("largest raw value [adu]", "adc_maximum"),
    ("camera flipped in y", "flip_camera"),
    ("`D_IMRPAP` when absent [deg]", "rotator_pupil_angle"),
)
CAMERA_ROWS = (
    ("pixel scale [mas]", "pixel_scale"),
    ("pupil offset [deg]", "pupil_offset"),
    ("read noise [e-]", "read_noise"),
)
FILTER_COLUMNS = (
    ("mean [nm]", "mean"),
    ("half transmission [nm]", "band"),
    ("FWHM [nm]", "fwhm"),
    ("extinction [mag/airmass]", "extinction"),
    ("throughput [%]", "throughput"),
    ("QE [%]", "quantum_efficiency"),
    ("magnitude of 1 e-/s", "zero_mag"),
    ("e-/s of mag 0", "zero_rate"),
    ("Jy of mag 0", "vega_flux"),
    ("scatter of the rate", "zero_scatter"),
    ("published Jy of mag 0", "zero_flux"),
    ("published Jy per e-/s", "flux_conversion"),
)


def render() -> str:
    """Return all tables as Markdown.

    Returns
    -------
    str
        Sections of the third level.
    """
    parts = (_detectors(), _cameras(), _filters(), _fields(), _mueller(), _optics())
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def _number(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(_number(item) for item in value)
    if isinstance(value, float):
        return f"{value:.8g}"
    return str(value)


def _fact(entry: Any) -> str:
    """Value in use with its source; per readout mode where it depends on that."""
    if isinstance(entry, Mapping) and str(entry.get("unit", "")).endswith("(ny, nx)"):
        return f"{' x '.join(map(str, entry['value']))} ({entry['source']})"
    if isinstance(entry, list):
        return "; formerly ".join(_fact(item) for item in entry)
    if "value" not in entry:
        return ", ".join(f"{mode} {_fact(item)}" for mode, item in entry.items())
    error = f" ± {entry['error']:g}" if "error" in entry else ""
    return f"{_number(entry['value'])}{error} ({entry['source']})"


def _facts(generation: str) -> Mapping[str, Any]:
    facts = load_table("detectors")[generation]
    if "same_as" not in facts:
        return dict(facts)
    base = load_table("detectors")[facts["same_as"]]
    cameras = {n: {**base["camera"][n], **facts["camera"].get(n, {})} for n in base["camera"]}
    return {**base, **facts, "camera": cameras}


def _detectors() -> str:
    facts = [_facts(generation) for generation in GENERATIONS]
    rows = [["detector", *(str(item["name"]) for item in facts)]]
    for label, key in DETECTOR_ROWS:
        rows.append([label, *(_fact(item[key]) if key in item else "per camera" for item in facts)])
    return "### Detectors\n\n" + _table(["", *GENERATIONS], rows)


def _cameras() -> str:
    columns = [(generation, number) for generation in GENERATIONS for number in ("1", "2")]
    rows = []
    for label, key in CAMERA_ROWS:
        cells = []
        for generation, number in columns:
            facts = _facts(generation)
            entry = facts["camera"][number].get(key)
            cells.append("as above" if entry is None else _fact(entry))
        rows.append([label, *cells])
    head = ["", *(f"{generation} cam {number}" for generation, number in columns)]
    return "### Cameras\n\n" + _table(head, rows)


def _filters() -> str:
    table = load_table("filters")
    rows = [
        [f"`{name}`", *(_filter_cell(row[key]) for _, key in FILTER_COLUMNS)]
        for name, row in table["filters"].items()
    ]
    columns = table["columns"]
    sources = [
        f"{label.split(' [')[0]}: {columns[key].get('source') or _published(columns[key])}"
        for label, key in FILTER_COLUMNS
        if key in columns
    ]
    text = _table(["filter", *(label for label, _ in FILTER_COLUMNS)], rows)
    return f"### Filters\n\n{text}\n\nSources: {'; '.join(sources)}."


def _filter_cell(value: Any) -> str:
    if isinstance(value, list) and value[0] < 1e-3:  # published values, newest first
        return f"{value[0]:.3g} ({value[1]:.3g})"
    return _number(value)


def _published(column: Mapping[str, Any]) -> str:
    newest, older = column["published"][:2]
    return f"{newest['source']}, in brackets {older['source']}"


def _fields() -> str:
    table = load_table("fields")
    rows = []
    for mode in ("MBI", "MBIR"):
        for number, camera in table[mode]["camera"].items():
            spots = ", ".join(
                f"{name} ({x:g}, {y:g})" for name, (x, y) in camera.get("hotspots", {}).items()
            )
            where = [f"{mode} cam {number}", _number(camera["x"]), _number(camera["y"])]
            rows.append([*where, spots or "header only"])
    head = ["", "columns", "rows", "typical hotspots (x, y)"]
    return "### Multiband fields\n\nFull-detector pixels, 0-based (OPS).\n\n" + _table(head, rows)


def _mueller() -> str:
    mirror = load_table("mueller")["m3"]
    text = "\n\n".join(_mueller_era(era) for era in ("EMCCD", "QCMOS"))
    return text + (
        f"\n\nTertiary mirror, both eras: diattenuation {mirror['diattenuation']:g} +- "
        f"{mirror['error']:g} in {mirror['filter']} ({mirror['source']}); scaled to other filters."
    )


def _mueller_era(era: str) -> str:
    table = load_table("mueller")[era]
    first = next(iter(table["filters"].values()))
    names = [name for name in first if name.endswith(("retardance", "diattenuation", "offset"))]
    rows = []
    for name, row in table["filters"].items():
        known = row.get("uncertainty", {})
        errors = dict(zip(known.get("names", ()), known.get("errors", ()), strict=True))
        rows.append([
            f"`{name}`",
            *(f"{row[k]:.4g}" + (f" +- {errors[k]:.2g}" if k in errors else "") for k in names),
            f"{100 * row.get('scale_error', table['scale_error']):.2g} %, "
            f"{row.get('angle_error', table['angle_error']):g} deg",
        ])  # fmt: skip
    doubts = [
        f"`{name}`: {row['doubt']}." for name, row in table["filters"].items() if "doubt" in row
    ]
    near = ", ".join(f"`{name}` by `{other}`" for name, other in table["nearest"].items())
    head = ["filter", *(name.replace("_", " ") for name in names), "error of degree, angle"]
    return (
        f"### Mueller parameters, {era}\n\nRetardances in waves, offsets in degrees "
        f"({table['source']}; {table['reference']}). Filters without an entry: {near}.\n\n"
        + _table(head, rows)
        + "\n\n".join(["", *doubts])
    )


def _optics() -> str:
    table = load_table("optics")
    rows = [
        [f"inner working angle of {name} [mas]", _fact(entry)]
        for name, entry in table["coronagraphs"].items()
    ]
    rows += [
        [f"FLC switch angle, {name} [deg]", _fact(entry)]
        for name, entry in table["flc"]["switch_angle"].items()
    ]
    return "### Other optics\n\n" + _table(["", "value"], rows)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
