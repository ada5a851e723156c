// The page: an address in the hash decides what is shown; everything else follows from it.
import { bar, detail, el, explained } from "/detail.js";

const PAGE = 50;
const FILTERS = { examples: ["text", "kind", "winner", "from", "to"], dropped: ["text", "kind", "step", "reason"] };
const $ = (id) => document.getElementById(id);
const form = $("filters");
const shown = { list: null, detail: null, total: 0, run: null };

/** #/examples?…, #/dropped?…, #/example/ID?…, #/dropped/ID?… as tab, id of the open row, filters. */
function route() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [place, id = null] = path.split("/");
  const tab = place === "dropped" ? "dropped" : "examples";
  return { tab, id: id && decoded(id), query: new URLSearchParams(search) };
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function address(tab, query, id = null) {
  const path = id === null ? tab : `${tab === "dropped" ? "dropped" : "example"}/${encodeURIComponent(id)}`;
  const search = new URLSearchParams([...query].filter(([, value]) => value)).toString();
  return `#/${path}${search ? `?${search}` : ""}`;
}

/** The part of a query that decides the list: the filters of the tab, and the offset. */
function listQuery(tab, query) {
  const names = [...FILTERS[tab], "offset"];
  return new URLSearchParams(names.filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
}

async function load(path) {
  const reply = await fetch(path).catch(() => null);
  if (!reply) throw new Error("The viewer has ended; start it again and reload this page.");
  const value = await reply.json();
  if (!reply.ok) throw new Error(value.error);
  return value;
}

function note(text, bad = false) {
  $("note").textContent = text;
  $("note").className = bad ? "bad" : "";
}

async function render() {
  const { tab, id, query } = route();
  for (const name of ["examples", "dropped"]) {
    const link = $(`tab-${name}`);
    if (name === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  fillForm(tab, query);
  await Promise.all([renderList(tab, query), renderDetail(tab, id, query)]);
  markOpen();
}

function fillForm(tab, query) {
  for (const part of form.querySelectorAll("[data-tab]")) part.hidden = part.dataset.tab !== tab;
  for (const field of form.elements) {
    if (!field.name || field === document.activeElement) continue;
    const value = query.get(field.name) ?? "";
    if (field.tagName === "SELECT" && value && ![...field.options].some((option) => option.value === value)) {
      field.append(el("option", {}, value));
    }
    field.value = value;
  }
}

async function renderList(tab, query) {
  const wanted = listQuery(tab, query);
  const name = `${tab}?${wanted}`;
  renderReasons(tab, query);
  if (shown.list === name) return;
  shown.list = name;
  try {
    const offset = Number(wanted.get("offset") ?? 0);
    const page = await load(`/api/${tab}?${new URLSearchParams([...wanted, ["limit", PAGE]])}`);
    if (shown.list !== name) return;
    $("rows").replaceChildren(...page.rows.map((row) => el("li", {}, tab === "dropped" ? dropRow(row, wanted) : exampleRow(row, wanted))));
    shown.total = page.total;
    note(page.total ? "" : "No such row.");
    renderPages(tab, wanted, offset, page);
  } catch (error) {
    if (shown.list !== name) return;
    shown.list = null;
    $("rows").replaceChildren();
    note(error.message, true);
  }
}

function renderPages(tab, query, offset, { rows, total }) {
  const to = (start) => {
    const other = new URLSearchParams(query);
    other.set("offset", start || "");
    return address(tab, other);
  };
  const link = (id, there, start) => (there ? $(id).setAttribute("href", to(start)) : $(id).removeAttribute("href"));
  link("back", offset > 0, Math.max(0, offset - PAGE));
  link("on", offset + rows.length < total, offset + PAGE);
  $("where").textContent = rows.length ? `${offset + 1}–${offset + rows.length} of ${total.toLocaleString("en")}` : "";
}

function exampleRow(row, query) {
  const link = new URLSearchParams(query);
  link.set("at", row.position);
  const dots = row.voters.map((voter) => el("i", { className: row.winners.includes(voter) ? "won" : "", title: voter }));
  const won = `confidence ${row.confidence.toFixed(2)}, agreement ${row.agreement.toFixed(2)}; winners: ${row.winners.join(", ")}`;
  return el("a", { className: "row", href: address("examples", link, row.id), "data-id": row.id, "data-at": row.position },
    el("span", { className: "texts" },
      el("span", { className: "head", dir: "auto" }, row.instruction),
      row.input ? el("span", { className: "given", dir: "auto" }, row.input) : null,
      el("span", { className: "out", dir: "auto" }, row.output)),
    el("span", { className: "side", title: won, "aria-label": won },
      el("span", { className: "number" }, row.confidence.toFixed(2)), bar(row.confidence), el("span", { className: "votes" }, dots)));
}

function dropRow(row, query) {
  return el("a", { className: "row dropped", href: address("dropped", query, row.id), "data-id": row.id },
    el("span", { className: "why", title: explained(row.reason) }, el("b", {}, row.reason), `${row.step} · ${row.kind ?? ""}`),
    el("span", { className: "texts" },
      el("span", { dir: "auto" }, row.text || "(no text)"),
      row.detail ? el("span", { className: "given", dir: "auto" }, row.detail) : null));
}

async function renderDetail(tab, id, query) {
  const pane = $("detail");
  const at = query.get("at");
  const name = id === null ? null : `${tab}/${encodeURIComponent(id)}${at ? `?at=${encodeURIComponent(at)}` : ""}`;
  if (shown.detail === name) return;
  shown.detail = name;
  if (name === null) {
    pane.hidden = true;
    document.body.classList.remove("open");
    return;
  }
  let content;
  try {
    content = detail(await load(`/api/${name}`), tools());
  } catch (error) {
    content = [el("div", { className: "strip" }, el("span", { className: "tools" }, tools())), el("p", {}, error.message)];
  }
  if (shown.detail !== name) return;
  pane.replaceChildren(...content);
  pane.hidden = false;
  pane.scrollTop = 0;
  pane.focus({ preventScroll: true });
  document.body.classList.add("open");
}

function tools() {
  return [
    el("button", { type: "button", title: "Previous (k)", onclick: () => move(-1) }, "↑"),
    el("button", { type: "button", title: "Next (j)", onclick: () => move(1) }, "↓"),
    el("button", { type: "button", title: "Close (Esc)", onclick: close }, "Close"),
  ];
}

function markOpen() {
  const { id, query } = route();
  const at = query.get("at");
  for (const row of $("rows").querySelectorAll(".row")) {
    const open = row.dataset.id === id && (!at || !row.dataset.at || row.dataset.at === at);
    if (open) {
      row.setAttribute("aria-current", "true");
      row.scrollIntoView({ block: "nearest" });
    } else row.removeAttribute("aria-current");
  }
}

function close() {
  const { tab, id, query } = route();
  if (id === null) return;
  const row = $("rows").querySelector("[aria-current]");
  location.hash = address(tab, listQuery(tab, query));
  row?.focus();
}

/** To the next row: with a row open it is opened, else it gets the focus; at the end of a page the next page comes. */
function move(by) {
  const rows = [...$("rows").querySelectorAll(".row")];
  const open = route().id !== null;
  const now = rows.findIndex((row) => (open ? row.hasAttribute("aria-current") : row === document.activeElement));
  const next = rows[now < 0 ? 0 : now + by];
  if (!next) return;
  if (open) location.hash = next.getAttribute("href");
  else {
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
}

function renderReasons(tab, query) {
  if (!shown.run || tab !== "dropped") return $("reasons").replaceChildren();
  const counts = new Map();
  for (const { step, kind, reason, count } of shown.run.dropped) {
    if (query.get("kind") && kind !== query.get("kind")) continue;
    const name = JSON.stringify([step, reason]);
    counts.set(name, (counts.get(name) ?? 0) + count);
  }
  const order = [...new Set(shown.run.dropped.map(({ step }) => step))];
  const place = ([name]) => order.indexOf(JSON.parse(name)[0]);
  const sorted = [...counts].sort((a, b) => place(a) - place(b) || b[1] - a[1]);
  return $("reasons").replaceChildren(...sorted.map(([name, count]) => {
    const [step, reason] = JSON.parse(name);
    const on = query.get("step") === step && query.get("reason") === reason;
    const link = new URLSearchParams([["text", query.get("text") ?? ""], ["kind", query.get("kind") ?? ""]]);
    if (!on) for (const [key, value] of [["step", step], ["reason", reason]]) link.set(key, value);
    const properties = { href: address("dropped", link), title: explained(reason) };
    if (on) properties["aria-current"] = "true";
    return el("a", properties, el("span", { className: "quiet" }, `${step} · `), reason, el("b", {}, count.toLocaleString("en")));
  }));
}

function stage(kind, { step, kept, dropped }, widest, target) {
  const number = kept.toLocaleString("en");
  return el("div", { className: "stage" },
    el("span", { className: "label" }, step),
    el("span", { className: "line" },
      el("span", { className: "value number" }, number,
        step === "instructions" && target ? el("span", { className: "of" }, ` of ${target.toLocaleString("en")}`) : null),
      dropped ? el("a", { className: "lost number", title: "Dropped in this step",
        href: address("dropped", new URLSearchParams({ step, kind })) }, `−${dropped.toLocaleString("en")}`) : null),
    bar(kept / widest));
}

function renderRun(run) {
  shown.run = run;
  document.title = `${run.name} · Ensemble-Instruct`;
  $("name").textContent = run.name;
  $("state").textContent = run.state;
  $("state").className = `pill ${run.state}`;
  $("setup").textContent = [run.profile && `profile ${run.profile}`, run.strategy && `strategy ${run.strategy}`].filter(Boolean).join(" · ");
  $("funnel").replaceChildren(...run.kinds.map(({ kind, target, steps }) => {
    const widest = Math.max(1, target, ...steps.map(({ kept }) => kept));
    return el("div", { className: "kind" }, el("h2", {}, kind), steps.map((step) => stage(kind, step, widest, target)));
  }));
  const examples = run.kinds.reduce((sum, { steps }) => sum + steps.at(-1).kept, 0);
  const dropped = run.dropped.reduce((sum, { count }) => sum + count, 0);
  $("tab-examples").querySelector(".count").textContent = examples.toLocaleString("en");
  $("tab-dropped").querySelector(".count").textContent = dropped.toLocaleString("en");
  renderVoters(run.standings);
  fillOptions("winner", run.voters);
  fillOptions("step", [...new Set(run.dropped.map(({ step }) => step))]);
  fillOptions("reason", [...new Set(run.dropped.map(({ reason }) => reason))].sort());
}

/** How the voters do, once the run knows it, with the notes on them. */
function renderVoters(standings) {
  $("voters").hidden = !standings;
  if (!standings) return;
  const { rows, voters, notes } = standings;
  const hasWeights = voters.some(({ weight }) => weight !== 1);
  const head = ["Voter", "Strength", "Agreement", "Won", "Of all", ...(hasWeights ? ["Weight"] : []), "Set aside"];
  const line = ({ name, strength, agreement, won, share, weight, why }) => [
    name, strength.toFixed(2), agreement.toFixed(2), won.toLocaleString("en"), `${(100 * share).toFixed(1)} %`,
    ...(hasWeights ? [String(weight)] : []), why];
  const cells = (row) => row.map((text, place) => el("td", { dir: "auto", className: place && place < head.length - 1 ? "number" : "" }, text));
  $("voters").querySelector("summary").textContent = notes.length ? `The voters (notes: ${notes.length})` : "The voters";
  $("standings").replaceChildren(
    ...notes.map((text) => el("p", { dir: "auto" }, text)),
    ...(voters.length ? [
      el("table", {},
        el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
        el("tbody", {}, voters.map((voter) => el("tr", {}, cells(line(voter)))))),
      el("p", { className: "quiet" }, `Learned from ${rows.toLocaleString("en")} rows. A voter is strong if others say much of what it says: 1 is the mean of those that are not set aside.`),
    ] : []));
}

function fillOptions(name, values) {
  const field = form.elements[name];
  const known = new Set([...field.options].map((option) => option.value));
  field.append(...values.filter((value) => !known.has(value)).map((value) => el("option", {}, value)));
}

/** The run's counts, again and again while it goes on; the list is left alone, so that no row moves under the reader. */
async function watch() {
  const began = performance.now();
  try {
    const run = await load("/api/run");
    const before = shown.run;
    if (before && JSON.stringify(before) === JSON.stringify(run)) return;
    renderRun(run);
    const { tab, query } = route();
    renderReasons(tab, query);
    if (before) offerNew(tab);
  } catch (error) {
    note(error.message, true);
  } finally {
    if (shown.run?.state !== "finished") setTimeout(watch, Math.max(document.hidden ? 10000 : 2500, 10 * (performance.now() - began)));
  }
}

function offerNew(tab) {
  note("");
  $("note").append("The run has gone on. ", el("a", { href: location.hash || "#/", onclick: (event) => {
    event.preventDefault();
    shown.list = null;
    render();
  } }, `Load the ${tab === "dropped" ? "drops" : "examples"} again`));
}

function filtersChanged(replace) {
  const { tab } = route();
  const query = new URLSearchParams(FILTERS[tab].map((name) => [name, form.elements[name].value]));
  if (!form.checkValidity()) return;
  const to = address(tab, query);
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  render();
}

let typing = 0;
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => filtersChanged(true), event.target.tagName === "SELECT" ? 0 : 200);
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => filtersChanged(false)));
addEventListener("hashchange", render);
addEventListener("keydown", (event) => {
  const typed = event.target.closest?.("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (typed) typed.blur();
    else close();
  } else if (!typed && event.key === "/") {
    event.preventDefault();
    $("text").focus();
    $("text").select();
  } else if (typed ? typed.id === "text" && event.key === "ArrowDown" : ["j", "ArrowDown"].includes(event.key)) {
    event.preventDefault();
    typed?.blur();
    move(1);
  } else if (!typed && ["k", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    move(-1);
  }
});

await watch();
await render();
