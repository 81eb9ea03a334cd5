// Compares any two runs sample by sample: what both got right, what only one did, and how their answers differ.
// All texts become text nodes; nothing here makes HTML of a text.

const PAGE_SIZE = 10;
const MOST_CELLS = 160000; // of the table of a word comparison: longer answers are shown without marks

/** The words of both texts, each with whether the other text has it too: the longest common sequence of words. */
function compareWords(one, other) {
  const a = one.match(/\s+|\S+/g) ?? [], b = other.match(/\s+|\S+/g) ?? [];
  if (a.length * b.length > MOST_CELLS) return [[[one, true]], [[other, true]]];
  const width = b.length + 1, lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const left = [], right = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      left.push([a[i++], true]);
      right.push([b[j++], true]);
    } else if (j >= b.length || (i < a.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
      left.push([a[i++], false]);
    } else {
      right.push([b[j++], false]);
    }
  }
  return [left, right];
}

const element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
};

const OUTCOMES = {
  "only one is right": (a, b) => a !== b,
  "both are right": (a, b) => a && b,
  "only the left one is right": (a, b) => a && !b,
  "only the right one is right": (a, b) => !a && b,
  "both are wrong": (a, b) => !a && !b,
};
const ALL = "all samples", CHANGED = "different answers", LARGEST = "largest changes first", IN_ORDER = "in their order";

/** Whether every value is right or wrong, and which of the two is right. */
function isGraded(task) {
  if (task.direction === "unknown") return false;
  return task.runs.every((run) => run.values.every((value) => value === null || value === 0 || value === 1));
}

function startSamples() {
  const box = document.querySelector(".browser");
  if (!box) return;
  const { tasks } = JSON.parse(document.getElementById("samples").textContent);
  const form = box.querySelector("form"), list = box.querySelector(".pairs"), status = box.querySelector(".count");
  const field = (name) => form.elements.namedItem(name);
  let task = tasks[0], groups = [], page = 0;

  const fill = (select, names, chosen = 0) => {
    select.replaceChildren(...names.map((name, index) => new Option(name, index, index === chosen, index === chosen)));
  };

  function chooseTask() {
    task = tasks[Number(field("task").value)];
    const names = task.runs.map((run) => run.name);
    fill(field("left"), names, task.pair[0]);
    fill(field("right"), names, task.pair[1]);
    fill(field("outcome"), isGraded(task) ? [...Object.keys(OUTCOMES), CHANGED, ALL] : [LARGEST, IN_ORDER, CHANGED]);
    form.querySelectorAll("[data-group]").forEach((label) => label.remove());
    groups = Object.entries(task.groups).map(([name, values]) => {
      const select = document.createElement("select"), label = element("label", "", name, select);
      fill(select, ["any", ...[...new Set(values)].sort(collator.compare)]);
      label.dataset.group = "";
      field("search").closest("label").before(label);
      return { values, select };
    });
    page = 0;
    show();
  }

  /** The places of the samples that pass every filter, in the order that the outcome wants. */
  function chosenPlaces(left, right) {
    const outcome = field("outcome").selectedOptions[0].textContent;
    const words = field("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const best = task.direction === "lower" ? 0 : 1;
    const found = [...task.ids.keys()].filter((at) => {
      if (left.answers[at] < 0 || right.answers[at] < 0) return false;
      const one = left.values[at], other = right.values[at];
      if (OUTCOMES[outcome] && (one === null || other === null || !OUTCOMES[outcome](one === best, other === best))) return false;
      if (outcome === CHANGED && left.answers[at] === right.answers[at]) return false;
      if (groups.some(({ values, select }) => select.selectedIndex > 0 && values[at] !== select.selectedOptions[0].textContent)) return false;
      const text = [task.ids[at], task.prompts[at], task.targets[at], task.texts[left.answers[at]], task.texts[right.answers[at]]].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    if (outcome === LARGEST) {
      const change = (at) => (left.values[at] === null || right.values[at] === null ? -1 : Math.abs(left.values[at] - right.values[at]));
      found.sort((a, b) => change(b) - change(a) || a - b);
    }
    return found;
  }

  function valueText(value) {
    if (value === null) return "no value";
    if (isGraded(task)) return value === (task.direction === "lower" ? 0 : 1) ? "right" : "wrong";
    return task.percent ? `${(100 * value).toFixed(1)} %` : String(value);
  }

  function answer(run, at, parts, mark) {
    const words = parts.map(([text, isShared]) => (isShared || !text.trim() ? text : element("mark", mark, text)));
    const head = element("h5", "", `${run.name}: `, element("span", "muted", valueText(run.values[at])));
    return element("div", "answer-of", head, element("div", "words", ...(words.length ? words : ["(empty)"])));
  }

  function pair(at, left, right) {
    const [one, other] = compareWords(task.texts[left.answers[at]], task.texts[right.answers[at]]);
    const tags = Object.entries(task.groups).map(([name, values]) => ` · ${name}: ${values[at]}`).join("");
    const title = element("h4", "", task.ids[at], element("span", "muted small", tags));
    const facts = element("dl", "sample");
    for (const [name, text] of [["Prompt", task.prompts[at]], ["Target", task.targets[at]]]) {
      facts.append(element("dt", "", name), element("dd", "", text));
    }
    const answers = element("div", "two", answer(left, at, one, "gone"), answer(right, at, other, "new"));
    return element("article", "pair", title, facts, answers);
  }

  function show() {
    const left = task.runs[Number(field("left").value)], right = task.runs[Number(field("right").value)];
    const found = chosenPlaces(left, right), pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const places = found.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    list.replaceChildren(...places.map((at) => pair(at, left, right)));
    status.textContent = `${found.length} of ${task.ids.length} samples; page ${page + 1} of ${pages}`;
    field("before").disabled = page === 0;
    field("after").disabled = page >= pages - 1;
  }

  fill(field("task"), tasks.map((each) => each.name));
  field("task").closest("label").hidden = tasks.length === 1;
  box.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => { page = 0; (event.target === field("task") ? chooseTask : show)(); });
  for (const [name, step] of [["before", -1], ["after", 1]]) {
    field(name).addEventListener("click", () => { page += step; show(); });
  }
  chooseTask();
}
