"""The page as a browser shows it: sizes, errors, escaping; verdicts in their order."""

import html
import re
import shutil
import subprocess

import numpy as np
import pytest

from vampires.plotting.figures import png
from vampires.report.page import render
from vampires.report.parts import (
    Facts,
    Number,
    Picture,
    Pictures,
    Section,
    Strip,
    Table,
    Text,
    Trace,
    Verdict,
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
NASTY = '<script>bad()</script> & "quoted"'

# Loads the page in frames of two widths, sorts a table, opens a picture, and writes what it saw.
PROBE = """<!DOCTYPE html><body><pre id="seen"></pre><script>
const seen = {};
const show = () => { document.getElementById("seen").textContent = JSON.stringify(seen); };
for (const width of [400, 1400]) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  frame.srcdoc = PAGE;
  frame.onload = () => {
    const page = frame.contentDocument;
    const edge = (element) => element.getBoundingClientRect().right;
    const outside = [...page.querySelectorAll("main *")].filter(
      (e) => !e.closest(".scroll, pre, svg") && edge(e) > width + 0.5);
    const cells = () => [...page.querySelectorAll("tbody td:first-child")];
    const firsts = () => cells().map((cell) => cell.textContent);
    const button = page.querySelector("th button");
    const orders = [firsts()];
    button.click(); orders.push(firsts());
    button.click(); orders.push(firsts());
    page.querySelector(".enlarge").click();
    seen[width] = {
      page: page.documentElement.scrollWidth,
      outside: outside.map((e) => e.outerHTML.slice(0, 60)),
      table: page.querySelector(".scroll").scrollWidth, orders,
      enlarged: page.querySelector("dialog").open && page.querySelector("dialog img").naturalWidth,
      scripts: page.scripts.length,
    };
    frame.remove(); show();
  };
  document.body.append(frame);
}
</script></body>"""


@pytest.fixture(scope="module", name="page")
def fixture_page():
    """Every kind of part, a table too wide for any phone, and names out to break the page."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3))
    figure.subplots().plot([1, 2, 3])
    picture = png(figure)
    columns = ["value", *[f"column {k}" for k in range(40)]]
    rows = [[Number(v, 3), *["x" * 12] * 39, Strip("a strip", (Trace(0, np.arange(9.0)),))]
            for v in (10.0, 9.0, np.nan, 100.0)]  # fmt: skip
    sections = (
        Section("Wide table", (Table(columns, rows, "too wide"),)),
        Section(
            NASTY,
            (
                Facts([("object", NASTY), ("a" * 80, "b" * 200)]),
                Text("word " * 100 + "w" * 300),
                Text("x = 1\n" + "y" * 500, code=True),
                Pictures((Picture(picture, NASTY, NASTY), Picture(picture, "wide", wide=True))),
                Table(("a",), [[NASTY]], NASTY, folded=True),
            ),
        ),
    )
    found = [Verdict("good", "fine"), Verdict("bad", NASTY, "w" * 200), Verdict("look", "hm")]
    return render(NASTY, found, sections)


def test_worst_verdicts_come_first_and_texts_are_escaped(page):
    levels = re.findall(r'<li class="(\w+)">', page)
    assert levels == ["bad", "look", "good"]
    assert "bad()</script>" not in page
    assert html.escape("<script>bad()</script>") in page


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
def test_in_a_browser_nothing_overflows_and_tables_sort(page, tmp_path):
    import json

    quoted = json.dumps(page).replace("</", "<\\/")
    (tmp_path / "probe.html").write_text(PROBE.replace("PAGE", quoted))
    done = subprocess.run(
        [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
         f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom",
         str(tmp_path / "probe.html")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    seen = json.loads(html.unescape(re.search(r'<pre id="seen">(.*?)</pre>', done.stdout)[1]))
    for width in (400, 1400):
        found = seen[str(width)]
        assert found["page"] <= width
        assert found["outside"] == []
        assert found["table"] > width  # it scrolls within itself
        original, up, down = (order[:4] for order in found["orders"])
        assert original == ["10", "9", "–", "100"]
        assert up == ["9", "10", "100", "–"]
        assert down == ["100", "10", "9", "–"]
        assert found["enlarged"] == 1080
        assert found["scripts"] == 1
