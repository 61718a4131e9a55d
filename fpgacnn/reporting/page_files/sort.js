"use strict";
const ORDERS = { none: "ascending", ascending: "descending", descending: "none" };
const said = document.getElementById("said");

function keyOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.number === undefined ? cell.textContent : Number(cell.dataset.number);
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one === "number") return -1;
  if (typeof other === "number") return 1;
  return one.localeCompare(other, "en", { numeric: true });
}

function sort(table, heading, rows) {
  const order = ORDERS[heading.ariaSort];
  const column = heading.cellIndex;
  for (const other of table.tHead.rows[0].cells) if (other.ariaSort) other.ariaSort = "none";
  heading.ariaSort = order;
  const sign = order === "descending" ? -1 : 1;
  const known = (row) => row.cells[column].textContent.trim() !== "\u2013";
  const sorted = order === "none" ? rows : [...rows].sort((one, other) =>
    Number(known(other)) - Number(known(one)) || sign * compare(keyOf(one, column), keyOf(other, column)));
  table.tBodies[0].append(...sorted);
  const how = order === "none" ? "in the order of the report" : `by ${heading.innerText.trim()}, ${order}`;
  said.textContent = `${table.caption.textContent}: ${how}`;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 2) continue;
  for (const heading of table.tHead.rows[0].cells) {
    if (heading.classList.contains("drawn")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, heading, rows));
    heading.append(button);
    heading.classList.add("sorts");
    heading.ariaSort = "none";
  }
}

function openToKeys() {
  for (const area of document.querySelectorAll(".scroll")) {
    const scrolls = area.scrollWidth > area.clientWidth;
    const wanted = { tabindex: "0", role: "region", "aria-labelledby": area.dataset.names };
    for (const [name, value] of Object.entries(wanted)) {
      if (scrolls) area.setAttribute(name, value);
      else area.removeAttribute(name);
    }
  }
}
openToKeys();
window.addEventListener("resize", openToKeys);
