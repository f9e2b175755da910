"""TOML as it is written: digits kept, names and texts that need quotes quoted."""

from __future__ import annotations

import tomllib

import tomlkit

from vampires.utils.toml import toml_document, toml_number, toml_table


def test_names_and_texts_of_any_kind_come_back() -> None:
    document = toml_document("by hand")
    document.add("source", tomlkit.item('a "quoted" \\ path\nof two lines'))
    for name in ('od"d ] name', "750-50"):
        toml_table(document, "filters", name).add("offset", toml_number("1.50", "+- 0.1"))
        toml_table(document, "filters", name, "uncertainty").add("chi2", toml_number("0.9"))
    text = tomlkit.dumps(document)
    table = tomllib.loads(text)
    assert table["source"] == 'a "quoted" \\ path\nof two lines'
    assert table["filters"]['od"d ] name'] == {"offset": 1.5, "uncertainty": {"chi2": 0.9}}
    assert '\n[filters."750-50"]\noffset = 1.50  # +- 0.1\n' in text
    assert '\n[filters."750-50".uncertainty]\nchi2 = 0.9\n' in text
    assert "\n\n\n" not in text
