"use strict";
// Tables sort by the column whose heading is pressed; pressed again, the other way round.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    const compare = (a, b) => {
      const [x, y] = [a.cells[column], b.cells[column]];
      const [p, q] = [x.dataset.order, y.dataset.order];
      const sign = down ? -1 : 1;
      if (p !== undefined && q !== undefined) return sign * (p - q);
      if (p !== undefined || q !== undefined) return p === undefined ? 1 : -1; // missing ones last
      return sign * x.textContent.localeCompare(y.textContent, "en", {numeric: true});
    };
    const rows = [...body.rows].sort(compare);
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows);
  });
}
// Pictures enlarge; Escape or Close puts them back.
const large = document.getElementById("large");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const small = button.querySelector("img");
    const [image, text] = [large.querySelector("img"), large.querySelector("p")];
    image.src = small.src;
    image.alt = text.textContent = small.alt;
    large.showModal();
  });
}
// Paper cannot be unfolded.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
