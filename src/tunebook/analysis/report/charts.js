// Draws figures from their Vega-Lite specifications when they come into view, in the reader's colours.
// Expressions are interpreted, not compiled: the page needs no unsafe-eval.

const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 40rem)");
const views = new Map();
let runsShown = null;
let printing = false;

const tip = document.getElementById("tip");

/** The tooltip is built of text nodes only: a run's name or a model's answer stays text. */
function showTip(handler, event, item, value) {
  if (value === null || value === undefined || value === "" || event.vegaType === "pointerout") {
    tip.hidden = true;
    return;
  }
  const list = document.createElement("dl");
  for (const [name, content] of Object.entries(typeof value === "object" ? value : { "": value })) {
    if (content === "" || content === null || content === undefined) continue;
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = String(content);
    list.append(term, text);
  }
  tip.replaceChildren(list);
  tip.hidden = list.childElementCount === 0;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${event.clientY + height + 24 > innerHeight ? Math.max(4, event.clientY - height - 12) : event.clientY + 16}px`;
}

/** Shows in a figure only the runs that the table's filter leaves; some figures have no such parameter. */
function tellShown(view) {
  try {
    const shown = runsShown === null ? [] : Array.from({ length: figures.runs }, (_, index) => runsShown.has(index));
    view.signal("shown", shown).runAsync();
  } catch { /* this figure does not follow the table */ }
}

function fail(element, error) {
  const text = document.createElement("p");
  text.className = "failed";
  text.textContent = `This figure could not be drawn here (${error.message}); see figures/${element.dataset.figure}.svg.`;
  element.replaceChildren(text);
}

const rowsOf = (name) => figures.figures[name].spec.datasets.rows;

/** The longest entry of a figure's legend, in letters. */
function longestEntry(spec) {
  const domains = spec.layer.map((layer) => layer.encoding.color?.scale?.domain ?? []);
  return Math.max(1, ...domains.flat().map((entry) => String(entry).length));
}

/** A figure's theme at this width: a legend that fits; names with less room on a phone. */
function look(spec, width) {
  const theme = dark.matches && !printing ? figures.dark : figures.light;
  const columns = Math.max(1, Math.floor(width / (6.2 * longestEntry(spec) + 34)));
  const legend = { ...theme.legend, columns, labelLimit: Math.min(theme.legend.labelLimit, width - 60) };
  return narrow.matches ? { ...theme, legend, axis: { ...theme.axis, labelLimit: 105 } } : { ...theme, legend };
}

const NARROW_ROOM = 96; // pixels for the names of lines on a phone

/** Names at the ends of lines get less room on a phone. */
function fitted(spec) {
  if (!narrow.matches || !spec.padding || spec.padding.right <= NARROW_ROOM) return spec;
  const layer = spec.layer.map((each) => (each.name === "labels" ? { ...each, mark: { ...each.mark, limit: NARROW_ROOM - 7 } } : each));
  return { ...spec, layer, padding: { ...spec.padding, right: NARROW_ROOM } };
}

/** The specification in the reader's colour scheme; its own colours are for a light background. */
function coloured(spec) {
  if (!dark.matches || printing) return spec;
  const layer = JSON.parse(JSON.stringify(spec.layer), (_, value) => (typeof value === "string" && figures.inDark[value]) || value);
  return { ...spec, layer };
}

async function draw(element) {
  const figure = figures.figures[element.dataset.figure];
  try {
    views.get(element)?.finalize();
    const result = await vegaEmbed(element, coloured(fitted(figure.spec)), {
      mode: "vega-lite", ast: true, logLevel: 1, actions: false, defaultStyle: false, renderer: figure.renderer, tooltip: showTip, config: look(figure.spec, element.clientWidth),
      loader: { load: () => Promise.reject(new Error("nothing is loaded")), sanitize: () => Promise.reject(new Error("no links")) },
    });
    element.querySelector("svg, canvas").setAttribute("aria-hidden", "true"); // the element itself has a description
    views.set(element, result);
    tellShown(result.view);
    element.dataset.drawn = "yes";
  } catch (error) {
    fail(element, error);
  }
}

const MOST_ROWS = 1000;

/** The numbers of a figure as a table, for readers who cannot see it. */
function showNumbers(details) {
  const body = details.querySelector(".body");
  if (!details.open || body.childElementCount) return;
  const rows = rowsOf(details.closest("figure").querySelector(".chart").dataset.figure);
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== "run" && name !== "number");
  const box = document.createElement("div"), table = document.createElement("table");
  box.className = "scroll tall";
  box.tabIndex = 0;
  const addRow = (part, kind, texts) => {
    const row = part.insertRow();
    for (const text of texts) {
      const cell = document.createElement(kind);
      if (kind === "th") cell.scope = "col";
      cell.textContent = text;
      row.append(cell);
    }
  };
  addRow(table.createTHead(), "th", names);
  const part = table.createTBody();
  for (const row of rows.slice(0, MOST_ROWS)) addRow(part, "td", names.map((name) => String(row[name] ?? "")));
  box.append(table);
  body.append(box);
  if (rows.length > MOST_ROWS) body.append(`The first ${MOST_ROWS} of ${rows.length} rows; the CSV file has all.`);
}

const asCsv = (rows) => {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [names, ...rows.map((row) => names.map((name) => String(row[name] ?? "")))]
    .map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
};

async function saveFigure(button) {
  const element = document.getElementById(button.getAttribute("aria-describedby")).closest("figure").querySelector(".chart");
  if (!views.has(element)) await draw(element);
  const name = element.dataset.figure, view = views.get(element)?.view;
  if (button.value === "csv") {
    save(`${name}.csv`, new Blob([asCsv(rowsOf(name))], { type: "text/csv" }));
  } else if (view && button.value === "svg") {
    save(`${name}.svg`, new Blob([await view.toSVG()], { type: "image/svg+xml" }));
  } else if (view) {
    const canvas = await view.toCanvas(2);
    canvas.toBlob((blob) => save(`${name}.png`, blob));
  }
}

/** Paper is light and shows every figure; drawing takes longer than printing waits, so all are drawn while idle. */
function startPrinting(elements) {
  const drawRest = () => {
    const next = elements.find((element) => !element.dataset.drawn && !element.querySelector(".failed"));
    if (next) draw(next).then(() => idle(drawRest));
  };
  const idle = (work) => (window.requestIdleCallback ? requestIdleCallback(work, { timeout: 500 }) : setTimeout(work, 200));
  idle(drawRest);
  addEventListener("beforeprint", () => {
    printing = true;
    document.querySelectorAll("details[data-print]:not([open])").forEach((each) => { each.open = true; each.dataset.opened = ""; });
    if (dark.matches) elements.forEach(draw);
  });
  addEventListener("afterprint", () => {
    printing = false;
    document.querySelectorAll("details[data-opened]").forEach((each) => { each.open = false; delete each.dataset.opened; });
    if (dark.matches) elements.forEach(draw);
  });
}

function startCharts() {
  const elements = [...document.querySelectorAll(".chart[data-figure]")];
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      observer.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "400px" });
  elements.forEach((element) => observer.observe(element));
  for (const query of [dark, narrow]) query.addEventListener("change", () => [...views.keys()].forEach(draw));
  startPrinting(elements);
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  document.addEventListener("runs-shown", (event) => {
    runsShown = event.detail;
    document.querySelectorAll(".filter-note").forEach((note) => { note.hidden = runsShown === null; });
    for (const { view } of views.values()) tellShown(view);
  });
  document.querySelectorAll("details.numbers").forEach((each) => each.addEventListener("toggle", () => showNumbers(each)));
  document.querySelectorAll(".save button").forEach((button) => button.addEventListener("click", () => saveFigure(button)));
}

startCharts();
startTables();
startSamples();
startRefreshing();
