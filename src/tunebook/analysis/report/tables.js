"use strict";
// Tables that sort and filter. Without this script they are plain tables.

// Vega-Embed empties its element through innerHTML; no other text may become HTML, a script or a script's address.
if (window.trustedTypes && trustedTypes.createPolicy) {
  const refuse = () => { throw new TypeError("no text becomes code in this page"); };
  trustedTypes.createPolicy("default", {
    createHTML: (text) => (text === "" ? "" : refuse()), createScript: refuse, createScriptURL: refuse,
  });
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

const cellValue = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
};

/** Missing values come last in both directions. */
function compareRows(column, numeric, sign) {
  return (one, other) => {
    const a = cellValue(one, column), b = cellValue(other, column);
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = numeric ? Number(a) - Number(b) : collator.compare(a, b);
    return sign * order || one.dataset.order - other.dataset.order;
  };
}

function sortTable(table, heading) {
  const numeric = heading.dataset.kind === "number";
  const before = heading.getAttribute("aria-sort");
  const first = numeric && heading.dataset.first === "descending" ? "descending" : "ascending";
  const direction = before === first ? (first === "ascending" ? "descending" : "ascending") : first;
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction);
  const body = table.tBodies[0];
  const rows = [...body.rows].sort(compareRows(heading.cellIndex, numeric, direction === "ascending" ? 1 : -1));
  body.append(...rows);
  remember();
}

function makeSortable(table) {
  [...table.tBodies[0].rows].forEach((row, index) => { row.dataset.order = index; });
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortTable(table, heading));
  }
}

const filters = () => [...document.querySelectorAll("[data-filters] :is(input, select)[data-filter]")];

function passes(row, words, chosen) {
  const text = row.textContent.toLowerCase();
  return words.every((word) => text.includes(word)) &&
    chosen.every(([column, value]) => row.cells[column].textContent.trim() === value);
}

/** Hides the rows that do not match, shows how many are left, and lets the figures follow. */
function applyFilters(form) {
  const table = document.getElementById(form.dataset.filters);
  const words = form.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = [...form.querySelectorAll("select[data-filter]")]
    .filter((select) => select.selectedIndex > 0)
    .map((select) => [Number(select.dataset.column), select.value]);
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) row.hidden = !passes(row, words, chosen);
  const shown = rows.filter((row) => !row.hidden);
  form.querySelector(".count").textContent = `${shown.length} of ${rows.length} shown`;
  if (table.dataset.runs !== undefined) {
    const names = shown.length === rows.length ? null : new Set(shown.map((row) => Number(row.dataset.run)));
    document.dispatchEvent(new CustomEvent("runs-shown", { detail: names }));
  }
  remember();
}

const quoted = (text) => `"${(/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? "'" : "") + text.replaceAll('"', '""')}"`;

/** The rows that are shown, in their order, as CSV; a cell that a spreadsheet would run as a formula gets an apostrophe. */
function tableAsCsv(table) {
  const rows = [table.tHead.rows[0], ...[...table.tBodies[0].rows].filter((row) => !row.hidden)];
  return rows.map((row) => [...row.cells].map((cell) => quoted((cell.dataset.csv ?? cell.dataset.value ?? cell.textContent).trim())).join(","))
    .join("\r\n") + "\r\n";
}

function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A reader's sorting and filters survive a reload: the report of a running experiment reloads by itself.
const memory = `tunebook ${location.pathname}`;

function remember() {
  const sorted = [...document.querySelectorAll("table[data-sortable]")].map((table) => {
    const heading = table.querySelector("th[aria-sort]");
    return heading ? [heading.cellIndex, heading.getAttribute("aria-sort")] : null;
  });
  try {
    sessionStorage.setItem(memory, JSON.stringify({ sorted, filters: filters().map((field) => field.value) }));
  } catch { /* storage is off: nothing is remembered */ }
}

function recall() {
  let state = null;
  try { state = JSON.parse(sessionStorage.getItem(memory)); } catch { /* nothing remembered */ }
  if (!Array.isArray(state?.filters) || !Array.isArray(state?.sorted)) return;
  filters().forEach((field, index) => {
    field.value = state.filters[index] ?? "";
    if (field.options && field.selectedIndex < 0) field.selectedIndex = 0;
  });
  document.querySelectorAll("table[data-sortable]").forEach((table, index) => {
    const [column, direction] = state.sorted[index] ?? [];
    const heading = table.tHead.rows[0].cells[column];
    for (let turn = 0; turn < 2 && heading && heading.getAttribute("aria-sort") !== direction; turn += 1) sortTable(table, heading);
  });
}

function startTables() {
  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  recall();
  for (const form of document.querySelectorAll("[data-filters]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => applyFilters(form));
    form.addEventListener("reset", () => setTimeout(() => applyFilters(form)));
    form.querySelector("[data-save]")?.addEventListener("click", () => {
      const table = document.getElementById(form.dataset.filters);
      save(form.dataset.save, new Blob([tableAsCsv(table)], { type: "text/csv" }));
    });
    applyFilters(form);
  }
}

/** The report of a running experiment reloads while its reader wants that. */
function startRefreshing() {
  const box = document.getElementById("refresh");
  if (!box) return;
  box.closest("[hidden]").hidden = false;
  const key = `${memory} refresh`;
  try { box.checked = sessionStorage.getItem(key) !== "no"; } catch { /* keep the default */ }
  box.addEventListener("change", () => {
    try { sessionStorage.setItem(key, box.checked ? "yes" : "no"); } catch { /* not remembered */ }
  });
  setInterval(() => { if (box.checked && !document.hidden) location.reload(); }, Number(box.dataset.seconds) * 1000);
}
