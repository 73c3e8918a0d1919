// Sorts a table by the column that is clicked, and filters the ranked ones. Without it all is readable.
"use strict";
const order = (row, index) => row.cells[index].dataset.order ?? "";
const missing = (value) => value === "";
function compare(a, b) {
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
}
function sort(table, heading) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [order(a, heading.cellIndex), order(b, heading.cellIndex)];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return up ? compare(x, y) : compare(y, x);
  });
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...rows);
}
for (const table of document.querySelectorAll("table")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(table, heading));
  }
}
for (const table of document.querySelectorAll("table.ranked")) {
  const input = document.createElement("input");
  Object.assign(input, { type: "search", className: "filter", placeholder: "Filter: pypy, nginx, waitress" });
  input.setAttribute("aria-label", "Show only the rows with this text");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of table.querySelectorAll("tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.parentNode.before(input);
}
