// One row in full: why it is here (or is not), its texts, its candidates, and the requests behind them.

/** An element with properties, data-free and safe: strings become text nodes, never markup. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A bar from 0 to 1. */
export function bar(share) {
  const filled = el("span");
  filled.style.width = `${Math.min(1, Math.max(0, share)) * 100}%`;
  return el("span", { className: "track", "aria-hidden": "true" }, filled);
}

const REASONS = {
  asks_for_a_program: "It asks for a program, which this data leaves out.",
  bad_request: "The server refused the request for good.",
  below_share: "Other rows agree more, and only a share of all rows is kept.",
  blocked_pattern: "One of the config's patterns (instructions.filters.blocked_patterns) is found in it.",
  blocked_word: "It holds a word that is not wanted: one of the config's, or of the original's (image, file, map, draw, …).",
  content_filter: "The server's content filter refused the request.",
  cut_off: "The token limit cut it off before it was complete.",
  disagreement: "Two of the outputs have next to nothing in common.",
  duplicate: "The same instruction with the same input was there before.",
  empty: "Nothing was written there.",
  empty_output: "There is no output.",
  empty_outputs: "None of the outputs holds any text.",
  further_example: "A further example of an instruction that has its example already.",
  all_differ: "The outputs are a few words long, and no two of them are the same answer.",
  low_agreement: "The outputs agree less than the config asks for.",
  low_confidence: "The confidence is lower than the config asks for.",
  missing_output: "The strategy needs an output of each voter, and one is missing.",
  needs_more_than_text: "Text alone cannot answer it: there is something to see, hear, draw, record or visit.",
  no_input: "This kind of task needs an input, and there is none.",
  no_output: "No output could be found in the completion.",
  not_a_task: "It is what a model says before or after its list of tasks, or a heading in it.",
  not_novel: "It is too close to an instruction that is there already.",
  output_equals_input: "The output only repeats the input.",
  prompt_too_long: "The prompt is longer than the model can read.",
  refusal: "The model declines to answer.",
  secret_in_reply: "The reply holds a key or a password that the server was sent.",
  server_error: "The server failed at every try.",
  starts_with_non_ascii: "It starts with a character that is not ASCII.",
  starts_with_punctuation: "It starts with a punctuation mark.",
  target_reached: "There were enough instructions already.",
  thought_only: "The model thought, and gave no answer. Where the token limit cut it off, raise max_tokens.",
  too_long: "It has too many words.",
  too_short: "It has too few words.",
  unexpected_input: "It has an input, and this kind of task has none.",
  unreadable: "No task could be read out of the completion.",
};
const MADE = { instruction: "The instruction", instance: "The input and the first output", candidate: "The candidate of" };

/** A reason in a sentence, as far as this page knows it. */
export function explained(reason) {
  const known = REASONS[reason] ?? REASONS[reason.replace(/^instruction_/, "")];
  return known ?? "";
}

/** The whole detail of an example or of a drop; `tools` are the buttons of its head. */
export function detail(row, tools) {
  const dropped = "reason" in row;
  const name = el("code", { title: "Its name in this run" }, dropped ? `dropped ${row.id}` : row.id);
  return [
    el("div", { className: "strip" },
      el("span", { className: "chip" }, row.kind ?? "no kind"), name, el("span", { className: "tools" }, tools)),
    ...(dropped ? whyDropped(row) : whyKept(row)),
    ...texts(row),
    ...candidates(row),
    ...history(row),
  ];
}

function whyKept(row) {
  const notes = [`Agreement ${row.agreement.toFixed(3)}`, `confidence ${row.confidence.toFixed(3)}`];
  if (row.run) notes.push(`from run ${row.run}`);
  if (row.follow_on) notes.push(`further task ${row.follow_on} that its completion states`);
  return [el("p", { className: "verdict" }, verdict(row)), el("p", {}, notes.join(" · "))];
}

/** Why this output: how many gave it, and whether another would agree better (the strategies of three may keep it so). */
function verdict({ candidates, winners }) {
  const all = candidates.length;
  if (winners.length === all) return all === 1 ? "There is one output." : `${all === 2 ? "Both" : `All ${all}`} outputs are this very text.`;
  const best = Math.max(...candidates.map(({ score }) => score));
  const reached = Math.max(...candidates.filter(({ voter }) => winners.includes(voter)).map(({ score }) => score));
  const leaders = candidates.filter(({ score }) => score === best).length;
  const whose = winners[0] === "instance" ? "the instance's own output" : `the output of ${winners[0]}`;
  if (reached < best) return `The strategy keeps ${whose}, although another agrees better with the rest.`;
  if (winners.length > 1) return `${winners.length} of ${all} outputs are this very text.`;
  if (leaders > 1) return `No output agrees better with the rest than ${whose}.`;
  return `Of ${all} outputs, ${whose} agrees best with the rest.`;
}

function whyDropped(row) {
  return [
    el("p", { className: "verdict" }, explained(row.reason) || `Dropped: ${row.reason}`),
    el("p", {}, "Step ", el("b", {}, row.step), ", reason ", el("b", {}, row.reason)),
    row.detail ? box(row.detail) : null,
  ].filter(Boolean);
}

function box(text, className = "") {
  if (text) return el("pre", { className: `box ${className}`, dir: "auto", tabIndex: 0 }, text);
  return el("pre", { className: "box nothing" }, "empty");
}

function texts(row) {
  const parts = [];
  if (!("instruction" in row)) return [el("h3", {}, "Text"), box(row.text)];
  parts.push(el("h3", {}, "Instruction"), box(row.instruction));
  if (row.input) parts.push(el("h3", {}, "Input"), box(row.input));
  if ("output" in row) parts.push(el("h3", {}, "Output"), box(row.output));
  if (row.reference) parts.push(el("h3", {}, "Reference"), box(row.reference));
  return parts;
}

function candidates(row) {
  if (!row.candidates) return [];
  const voices = row.candidates.map(({ voter, output, score, rank, rating, barred, removed }) => {
    const won = (row.winners ?? []).includes(voter);
    return el("div", { className: won ? "candidate won" : "candidate" },
      el("div", { className: "line" },
        el("span", { className: "voter", dir: "auto" }, voter),
        voter === "instance" ? el("span", { className: "quiet" }, "its own output") : null, won ? el("span", { className: "chip won" }, "winner") : null,
        barred ? el("span", { className: "chip bad" }, `passed over: ${barred}`) : null,
        row.set_aside?.[voter] ? el("span", { className: "chip bad wraps" }, `voter set aside: ${row.set_aside[voter]}`) : null,
        rank == null ? null : el("span", { className: "chip", title: "By this the strategy chose: the highest" }, `rank ${rank.toFixed(2)}`),
        rating == null ? null : el("span", { className: "chip", title: "How good models say that it is, 0 to 1" }, `rated ${rating.toFixed(3)}`),
        bar(score), el("span", { className: "number", title: "Mean agreement with the others" }, score.toFixed(3))),
      box(output), thought(requestOf(row, voter)), removed ? fold("Said around it, and taken away", removed.map((text) => box(text))) : null);
  });
  const silent = (row.missing ?? []).map(({ voter, reason, text }) =>
    el("div", { className: "candidate" },
      el("div", { className: "line" },
        el("span", { className: "voter", dir: "auto" }, voter), el("span", { className: "chip bad" }, `no vote: ${reason}`)),
      box(text), thought(requestOf(row, voter))));
  return [el("h3", {}, "Candidates, with their mean agreement"), ...voices, ...silent];
}

/** The request behind the candidate of a voter; none behind the instance's own output, which step 2 wrote. */
function requestOf(row, voter) {
  return row.chain.find((link) => link.made === "candidate" && link.voter === voter)?.request;
}

function thought(request) {
  return request?.thought ? fold("Thought before it", box(request.thought)) : null;
}

function turns(earlier) {
  return earlier.map(({ role, content }) => [el("p", { className: "facts" }, role), box(content, "mono")]).flat();
}

function history(row) {
  const links = row.chain.map((link) => {
    const { request } = link;
    const head = link.voter ? `${MADE.candidate} ${link.voter}` : MADE[link.made].replace(" of", "");
    return el("div", { className: "link" },
      el("p", {}, el("b", { dir: "auto" }, head)),
      link.made === "instruction" && link.text && row.instruction !== link.text ? el("p", { dir: "auto", className: "asked" }, link.text) : null,
      request ? facts(request) : el("p", { className: "facts" }, "Its request is not in this run."),
      request?.earlier.length ? fold(`Earlier turns (${request.earlier.length})`, turns(request.earlier)) : null,
      request ? fold("Prompt", box(request.prompt, "mono")) : null,
      request ? fold(request.failure ? "Refusal" : "Reply", box(request.reply, "mono")) : null,
      request?.refusal ? fold("Refusal of the model", box(request.refusal)) : null,
      link.made === "candidate" && row.candidates ? null : thought(request),
      request ? fold("Sampling", box(JSON.stringify(request.sampling), "mono")) : null,
      link.similar?.length ? fold("Nearest instructions", nearest(link.similar)) : null);
  });
  return links.length ? [el("h3", {}, "How it came about"), el("div", {}, links)] : [];
}

function facts(request) {
  const tokens = request.prompt_tokens === null ? null : `${request.prompt_tokens} → ${request.completion_tokens ?? "?"} tokens`;
  const parts = [
    request.model, `step ${request.step}`, request.failure ? `failed: ${request.failure}` : `finish: ${request.finish_reason}`,
    tokens, request.seconds < 1 ? `${Math.round(request.seconds * 1000)} ms` : `${request.seconds.toFixed(1)} s`,
    new Date(request.answered_at * 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC",
    request.repeat ? `repeat ${request.repeat}` : null,
    request.served_model ? `served as ${request.served_model}` : null, request.upstream ? `by ${request.upstream}` : null,
    request.cost === null ? null : `${Number(request.cost.toPrecision(3))} USD`,
  ];
  return el("p", { className: "facts" }, parts.filter(Boolean).map((part) => el("span", {}, part)));
}

function fold(title, content) {
  return el("details", {}, el("summary", {}, title), content);
}

function nearest(similar) {
  return el("table", {}, el("tbody", {}, similar.map(({ text, score }) =>
    el("tr", {}, el("td", {}, score.toFixed(3)), el("td", { dir: "auto" }, text)))));
}
