// Indexing runs, live: how far each is, a way to call it off, and what came of it.

import { get, post } from "./api.js";
import { base } from "./choose.js";
import { button, el, notice } from "./ui.js";

const STATES = { waiting: "Waiting for the run before", running: "Indexing", done: "Done", cancelled: "Cancelled", failed: "Failed" };
const SHOWN = 5; // runs that have ended
const ended = (job) => !["waiting", "running"].includes(job.state);

export class Jobs {
  /** `finished` is called whenever a run has ended, since then more may be indexed. */
  constructor({ finished }) {
    Object.assign(this, { finished, streams: new Map(), cards: new Map() });
    this.element = el("div", { class: "stack" });
  }

  /** Show the runs that the server knows, and follow those that go on. */
  async load() {
    this.stop();
    const jobs = await get("/api/jobs");
    const old = jobs.filter(ended).slice(0, SHOWN);
    this.cards.clear();
    this.element.replaceChildren();
    for (const job of [...old, ...jobs.filter((one) => !ended(one))].reverse()) this.show(job);
  }

  stop() {
    for (const stream of this.streams.values()) stream.close();
    this.streams.clear();
  }

  show(job) {
    const card = cardOf(job, this);
    const before = this.cards.get(job.job);
    if (before) before.update(job);
    else {
      this.cards.set(job.job, card);
      this.element.prepend(card.element);
    }
    if (!ended(job) && !this.streams.has(job.job)) this.follow(job.job);
  }

  follow(id) {
    const stream = new EventSource(`/api/jobs/${id}/events`);
    this.streams.set(id, stream);
    stream.addEventListener("job", ({ data }) => {
      const job = JSON.parse(data);
      this.cards.get(id).update(job);
      if (!ended(job)) return;
      stream.close();
      this.streams.delete(id);
      this.finished(job);
    });
    stream.addEventListener("error", () => {
      if (stream.readyState !== EventSource.CLOSED) return; // else it tries again by itself
      this.streams.delete(id);
      this.load().catch(notice);
    });
  }
}

function cardOf(first, jobs) {
  const title = el("strong", { role: "status" });
  const what = el("p", { class: "muted small number" });
  const bar = el("progress", { "aria-label": "Indexed so far" });
  const actions = el("div", { class: "row" });
  const report = el("div", { class: "stack" });
  const where = first.paths.map(base).join(", ");
  const element = el("section", { class: "card stack job", "aria-label": `Indexing ${where}` },
    el("div", { class: "row spread" }, title, actions), bar, what, report);
  let shown = null;

  const cancel = button("Cancel", async () => {
    cancel.disabled = true;
    try {
      jobs.show(await post(`/api/jobs/${first.job}/cancel`, {}));
      if (shown !== null && !["waiting", "running"].includes(shown)) return;
      what.textContent = "Being cancelled: the file in work is finished first.";
    } catch (error) {
      notice(error);
      cancel.disabled = false;
    }
  });
  const again = button("Try again", async () => {
    again.disabled = true;
    try {
      jobs.show(await post("/api/index", { paths: first.paths }));
      again.remove();
    } catch (error) {
      notice(error);
      again.disabled = false;
    }
  });

  function update(job) {
    title.textContent = `${STATES[job.state]}: ${where}`;
    bar.hidden = ended(job);
    if (job.total > 0) {
      bar.max = job.total;
      bar.value = job.done;
    } else bar.removeAttribute("value");
    what.textContent = ended(job) ? "" : progressOf(job);
    what.hidden = ended(job);
    element.dataset.state = job.state;
    if (job.state !== shown) {
      actions.replaceChildren(ended(job) ? (job.state === "done" ? "" : again) : cancel);
      report.replaceChildren(...resultOf(job));
    }
    shown = job.state;
  }

  update(first);
  return { element, update };
}

function progressOf({ done, total, what }) {
  const files = total > 0 ? `${Math.floor(done).toLocaleString()} of ${Math.round(total).toLocaleString()} files` : "Looking for files";
  return what ? `${files} · ${what}` : files;
}

/** What came of a run, as elements. */
function resultOf({ state, report, error }) {
  if (state === "cancelled") return [el("p", { class: "muted small" }, "What was finished is kept; the rest is read when you try again.")];
  if (state === "failed") return [el("p", { role: "alert" }, el("strong", {}, error.message), error.remedy ? ` – ${error.remedy}` : "")];
  if (state !== "done") return [];
  const counted = [[report.people, "people added"], [report.done, "files with people"], [report.nobody, "without people"],
    [report.unchanged, "known already"], [report.moved, "moved"], [report.copied, "copies"], [report.removed, "forgotten"]]
    .filter(([n], k) => n > 0 || k === 0).map(([n, text]) => `${n.toLocaleString()} ${text}`);
  const listed = [[report.failed, "could not be read"], [report.cut, "break off; what comes before is indexed"],
    [report.lost, "labels could not be kept"]].filter(([some]) => some.length);
  const left = Object.entries(report.left_out).map(([suffix, n]) => `${n} ${suffix || "without suffix"}`);
  return [el("p", { class: "small number" }, `${counted.join(" · ")} · ${report.seconds.toFixed(1)} s`),
    ...listed.map(([some, text]) => el("details", { open: some.length <= 5 }, el("summary", {}, `${some.length} ${text}`),
      el("ul", { class: "small reasons" }, some.map(({ path, error: why }) => el("li", {}, el("strong", {}, path), ` – ${why}`))))),
    left.length ? el("p", { class: "muted small" }, `Left out: ${left.join(", ")}`) : ""];
}
