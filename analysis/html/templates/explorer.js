"use strict";
// The explorer of flipped examples. What it shows is in the page, and nothing is computed that the report has computed.
(() => {
  const box = document.getElementById("explorer");
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const PAGE = 25;
  const ARRAYS = { u1: Uint8Array, u4: Uint32Array, f4: Float32Array };

  const unpack = (text, kind) => new ARRAYS[kind](Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer);
  const labels = data.labels === null ? null : unpack(data.labels, data.kind);
  const answers = data.arms.map((arm) => unpack(arm.answers, data.kind));
  const pairs = data.pairs.map((pair) => ({
    ...pair,
    examples: unpack(pair.examples, "u4"),
    leads: unpack(pair.leads, "f4"),
    chances: unpack(pair.chances, "f4"),
  }));
  const haystack = data.ids.map((id, i) => `${id}\n${data.texts ? data.texts[i] : ""}`.toLowerCase());

  const find = (name) => box.querySelector(`[data-explorer="${name}"]`);
  const control = Object.fromEntries(["pair", "side", "label", "search"].map((name) => [name, find(name)]));
  const heads = [...box.querySelectorAll("[data-sort]")];
  const state = { sort: "sure", descending: false, page: 0, rows: [] };

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const answer = (value) => (data.classes.length ? data.classes[value] : String(Number(value.toPrecision(4))));
  const given = (arm, run, example) => answers[arm][run * data.ids.length + example];
  const isRight = (arm, run, example) =>
    labels === null ? given(arm, run, example) === data.best : given(arm, run, example) === labels[example];
  const runsOf = (arm) => data.arms[arm].runs.map((_, run) => run);
  const rightRuns = (arm, example) => runsOf(arm).filter((run) => isRight(arm, run, example)).length;
  const mean = (arm, example) => runsOf(arm).reduce((sum, run) => sum + given(arm, run, example), 0) / runsOf(arm).length;
  const measure = data.right ? rightRuns : mean;

  function chosen() {
    const pair = pairs[control.pair.value];
    const words = control.search.value.trim().toLowerCase();
    const label = control.label ? control.label.value : "";
    const rows = [];
    pair.examples.forEach((example, place) => {
      const side = pair.leads[place] > 0 ? "treatment" : "baseline";
      if (control.side.value && control.side.value !== side) return;
      if (label !== "" && labels[example] !== Number(label)) return;
      if (words && !haystack[example].includes(words)) return;
      rows.push({ example, place });
    });
    const value = {
      sure: (row) => row.place,
      example: (row) => row.example,
      label: (row) => labels[row.example],
      treatment: (row) => measure(pair.treatment, row.example),
      baseline: (row) => measure(pair.baseline, row.example),
    }[state.sort];
    const sign = state.descending ? -1 : 1;
    return rows
      .map((row) => [value(row), row])
      .sort(([a, first], [b, second]) => sign * (a - b) || first.place - second.place)
      .map(([, row]) => row);
  }

  function runsCell(arm, example) {
    const { runs } = data.arms[arm];
    const all = runsOf(arm);
    const each = all.map((run) =>
      element("li", {}, `${runs[run]}: ${answer(given(arm, run, example))}${data.right && isRight(arm, run, example) ? " ✓" : ""}`),
    );
    const head = data.right
      ? element(
          "summary",
          {},
          `${rightRuns(arm, example)} of ${all.length} `,
          element("span", { className: "marks", ariaHidden: "true" }, all.map((run) => (isRight(arm, run, example) ? "✓" : "✗")).join("")),
        )
      : element("summary", {}, answer(mean(arm, example)));
    return element("td", {}, element("details", {}, head, element("ul", {}, ...each)));
  }

  const howSure = (pair, place) => {
    const chance = pair.chances[place];
    if (Number.isNaN(chance)) return Math.abs(pair.leads[place]).toFixed(2);
    return `1 in ${Number((1 / chance).toPrecision(2)).toLocaleString("en")}`;
  };

  function row({ example, place }) {
    const pair = pairs[control.pair.value];
    const text = data.texts ? [element("p", {}, data.texts[example]), element("small", {}, data.ids[example])] : [data.ids[example]];
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, ...text),
      ...(labels ? [element("td", {}, answer(labels[example]))] : []),
      runsCell(pair.treatment, example),
      runsCell(pair.baseline, example),
      element("td", { className: "number" }, howSure(pair, place)),
    );
  }

  function show() {
    const pair = pairs[control.pair.value];
    const count = state.rows.length;
    const last = Math.max(0, Math.ceil(count / PAGE) - 1);
    state.page = Math.min(state.page, last);
    const from = state.page * PAGE;
    find("rows").replaceChildren(...state.rows.slice(from, from + PAGE).map(row));
    const shown = count ? `${from + 1} to ${Math.min(from + PAGE, count)} of ${count}` : "no example";
    const more = pair.left_out ? `; ${pair.left_out} less sure ones are not in this page` : "";
    find("count").textContent = `${shown}${more}`;
    find("previous").disabled = state.page === 0;
    find("next").disabled = state.page === last;
    find("treatment").textContent = data.arms[pair.treatment].name;
    find("baseline").textContent = data.arms[pair.baseline].name;
    control.side.options[1].textContent = `better: ${data.arms[pair.treatment].name}`;
    control.side.options[2].textContent = `better: ${data.arms[pair.baseline].name}`;
    for (const head of heads) {
      const here = head.dataset.sort === state.sort;
      head.closest("th").ariaSort = here ? (state.descending ? "descending" : "ascending") : "none";
    }
  }

  function update() {
    state.page = 0;
    state.rows = chosen();
    show();
  }

  function csv() {
    const pair = pairs[control.pair.value];
    const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
    const arms = [pair.treatment, pair.baseline];
    const head = ["example_id", "text", "label", ...arms.flatMap((arm) => data.arms[arm].runs.map((run) => `${data.arms[arm].name} ${run}`))];
    const lines = state.rows.map(({ example }) => [
      data.ids[example],
      data.texts ? data.texts[example] : "",
      labels ? answer(labels[example]) : "",
      ...arms.flatMap((arm) => runsOf(arm).map((run) => answer(given(arm, run, example)))),
    ]);
    return [head, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n");
  }

  async function copy() {
    const text = csv();
    try {
      await navigator.clipboard.writeText(text);
      find("copied").textContent = `${state.rows.length} examples copied`;
    } catch {
      // Where a page may not write to the clipboard, the reader does.
      const area = find("csv");
      area.value = text;
      area.hidden = false;
      area.select();
      find("copied").textContent = "press Ctrl+C";
    }
  }

  pairs.forEach((pair, number) => {
    const name = `${data.arms[pair.treatment].name} against ${data.arms[pair.baseline].name}`;
    control.pair.append(element("option", { value: number }, name));
  });
  if (control.label) data.classes.forEach((name, number) => control.label.append(element("option", { value: number }, name)));
  for (const one of Object.values(control)) if (one) one.addEventListener(one === control.search ? "input" : "change", update);
  for (const head of heads) {
    head.addEventListener("click", () => {
      state.descending = head.dataset.sort === state.sort && !state.descending;
      state.sort = head.dataset.sort;
      update();
    });
  }
  find("previous").addEventListener("click", () => { state.page -= 1; show(); });
  find("next").addEventListener("click", () => { state.page += 1; show(); });
  find("copy").addEventListener("click", copy);
  update();
})();
