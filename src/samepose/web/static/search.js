// The search: a query on one side, its results on the other, both in the address.

import { ApiError, get, post, session } from "./api.js";
import { asBody, changed, filterForm, filtersOf } from "./filters.js";
import { decode, encode, History, keypointsOf, poseOf } from "./pose.js";
import { ask, catchFiles, QueryPanel, sources } from "./query.js";
import { Results } from "./results.js";
import { navigate, remember } from "./route.js";
import { el, icon, notice, problem, svg } from "./ui.js";

const PAGE = 40;
const PAUSE = 80; // milliseconds after the last change before a search is sent
const NOBODY = new ApiError("Nobody is seen here", { remedy: "Move to another moment, or take another picture" });
let view = null;

export async function mount(root, params) {
  view = new SearchView(root, params, await session());
  await view.open();
}

export function unmount() {
  view?.close();
  view = null;
}

export function resume() { view?.resume(); }

class SearchView {
  constructor(root, params, told) {
    Object.assign(this, { root, params, told, filters: filtersOf(params), state: null, turn: 0 });
    Object.assign(this, { aborter: null, timer: null, sent: null, again: false });
    const body13 = told.skeletons.find(({ name }) => name === "BODY13");
    this.joints = body13.joints;
    this.bones = body13.bones;
    this.stop = catchFiles((file) => this.start(file));
  }

  close() {
    this.stop();
    clearTimeout(this.timer);
    this.aborter?.abort();
    this.panel?.close();
    this.results?.close();
  }

  /** What the address names; without a query the ways to one. */
  async open() {
    const { params } = this;
    if (!this.told.there && this.told.problem) this.told = await session({ fresh: true });
    const named = params.has("person") ? { person: params.get("person") }
      : params.has("media") ? { media: params.get("media"), ...(params.has("at") ? { at: +params.get("at") } : {}) }
        : params.has("figure") ? { figure: params.get("figure") } : null;
    const code = params.has("pose") ? decode(params.get("pose"), this.joints) : null;
    if (!named && !code) return this.welcome();
    try {
      const asked = named ? await ask(named) : fromCode(code, params.get("q"));
      return this.use(asked, { who: +(params.get("who") ?? 0), pose: named ? code?.pose : null, push: false });
    } catch (error) {
      if (error.kind === "lost") throw error;
      return this.root.replaceChildren(problem(error, () => navigate("search"), "New search"));
    }
  }

  /** The first page: nothing is asked yet. */
  welcome() {
    const { there, problem: wrong } = this.told;
    const none = there ? null : el("div", { class: "notice" },
      el("strong", {}, wrong?.message ?? "There is no index yet."),
      " ", wrong?.remedy ?? "", " ", el("a", { href: "#/library" }, "Open the library"));
    const zone = el("div", { class: "zone" }, figure(), el("h1", {}, "Who else stands like this?"),
      el("p", { class: "muted" }, "Drop a picture or a video here, paste one, or bend a figure. "
        + "Samepose finds people in the same pose, from any side. Nothing leaves this machine."),
      sources((file) => this.start(file), { large: true }));
    this.busy = el("p", { class: "muted", role: "status" });
    this.root.replaceChildren(...[none, zone, this.busy].filter(Boolean));
    if (there) get("/api/library?limit=1").then(({ info }) => {
      const [people, files] = [info.people.toLocaleString(), info.media.toLocaleString()];
      this.busy.textContent = `${people} people in ${files} files can be found.`;
    }, notice);
  }

  /** Another query: a file, or null for a figure. */
  async start(file) {
    const mine = ++this.turn;
    this.root.classList.add("asking");
    try {
      const asked = await ask(file ?? { figure: "standing" });
      if (mine !== this.turn) return;
      if (!asked.people.length && !asked.duration) {
        notice({ message: `Nobody was found in ${asked.source}.`,
          remedy: "Take a picture in which a person is larger." });
        return;
      }
      this.use(asked, {});
      scrollTo({ top: 0 });
    } catch (error) {
      notice(error);
    } finally {
      this.root.classList.remove("asking");
    }
  }

  /** Show the query and search for it. */
  use(asked, { who = 0, pose = null, push = true }) {
    const ignore = this.state?.ignore ?? new Set((this.params.get("ignore") ?? "").split(",").filter(Boolean));
    const person = Math.min(Math.max(who || 0, 0), Math.max(asked.people.length - 1, 0));
    const found = poseOf(asked.people[person]?.keypoints ?? {}, this.joints);
    const history = new History(found);
    if (pose) history.push(pose);
    this.state = { asked, who: person, history, ignore };
    if (!this.panel) this.build();
    this.panel.show(this.state);
    this.panel.looks(this.byLooks);
    this.search({ push });
  }

  /** What is compared are pictures, alone or too; joints cannot be ignored in these. */
  get byLooks() { return ["pixels", "both"].includes(this.filters.by); }

  build() {
    const body = this.told.skeletons.find(({ name }) => name === "H36M17");
    this.panel = new QueryPanel({ joints: this.joints, bones: this.bones, body, partsOf: this.told.parts, onchange: () => this.later(),
      onpick: (who) => this.use(this.state.asked, { who }), onmoment: (at) => this.moment(at),
      onfile: (file) => this.start(file) });
    this.results = new Results({ page: (offset) => this.page(offset), body: () => this.body() });
    const form = filterForm(this.filters, this.told.spaces, (filters) => {
      this.filters = filters;
      this.panel.looks(this.byLooks);
      this.search({ push: true });
    });
    const filters = el("details", { class: "card filter-card", open: matchMedia("(min-width: 900px)").matches },
      el("summary", {}, icon("filter"), "Filters"), form);
    this.root.replaceChildren(el("div", { class: "search-view" }, this.panel.root, filters, this.results.root));
  }

  async moment(at) {
    const { asked } = this.state;
    try {
      this.use(await ask(asked.media ? { media: asked.media, at } : { query: asked.query, at }), {});
    } catch (error) {
      notice(error);
    }
  }

  /** While one drags: a search every now and then, one at a time, and one for the last change. */
  later() {
    this.results.wait();
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (this.sent) this.again = true;
      else this.search();
    }, PAUSE);
  }

  /** The search as the API takes it. */
  body() {
    const { asked, who, history, ignore } = this.state;
    const id = asked.people[who]?.id;
    const whom = id && asked.kind === "person" && history.now === history.first ? { person: id }
      : { keypoints: keypointsOf(history.now), skeleton: "BODY13", ...(asked.query ? { query: asked.query, ...(asked.coded ? {} : { who }) } : {}) };
    return { ...whom, ...asBody(this.filters), ignore: this.byLooks ? [] : [...ignore] };
  }

  async search({ push = false } = {}) {
    clearTimeout(this.timer);
    const mine = {};
    Object.assign(this, { timer: null, again: false, sent: mine });
    if (!this.panel.dragging) remember("search", this.address(), { push });
    this.results.wait();
    try {
      const answer = await this.page(0, { anew: true });
      if (answer) this.results.show(answer);
    } catch (error) {
      if (error.kind !== "lost") this.results.fail(error, () => this.search());
    }
    if (this.sent !== mine) return; // another search has come
    this.sent = null;
    if (this.again) this.search();
    else if (this.timer) this.results.wait();
  }

  /** A part of the answer; null if another search has come meanwhile. */
  async page(offset, { anew = false } = {}) {
    if (anew) {
      this.aborter?.abort();
      this.aborter = new AbortController();
    }
    if (!Object.keys(this.state.history.now).length) throw NOBODY;
    const { signal } = this.aborter;
    const send = () => post("/api/search", { ...this.body(), k: PAGE, offset }, { signal });
    try {
      return await send();
    } catch (error) {
      if (error.name === "AbortError") return null;
      if (error.status !== 404 || !this.state.asked.query) throw error;
      this.state.asked.query = null; // the server has forgotten the picture; the pose is still here
      return send();
    }
  }

  /** What a bookmark needs: whom, how bent, which filters. */
  address() {
    const { asked, who, history, ignore } = this.state;
    const id = asked.people[who]?.id;
    const bent = history.now !== history.first;
    const source = asked.kind === "person" ? { person: id }
      : asked.kind === "figure" ? { figure: "standing" }
        : asked.media ? { media: asked.media, at: asked.time } : { q: asked.query };
    const pose = bent || source.q !== undefined ? encode(history.now, this.joints, asked.picture) : null;
    return { ...source, who: who || null, pose, ignore: [...ignore].join(","), ...changed(this.filters) };
  }

  resume() {
    if (this.state) this.search();
    else this.open();
  }
}

/** A query that only its address tells; `query` is the picture's, if the server still has it. */
function fromCode({ pose, width, height }, query) {
  const known = /^[\w-]{22}$/.test(query ?? "") ? query : null;
  const keypoints = Object.fromEntries(Object.entries(pose).map(([joint, { x, y, score }]) => [joint, [x, y, score]]));
  return { query: known, coded: true, kind: "image", source: "shared pose", media: null, time: null, duration: null,
    picture: { url: known ? `/api/query/${known}/picture.jpg` : null, width, height },
    people: [{ person: 0, id: null, score: 1, box: null, keypoints, skeleton: "BODY13" }] };
}

/** A leaping figure for the empty page. */
function figure() {
  const limb = (kind, d) => ["outline", kind].map((name) => svg("path", { class: `bone ${name}`, d }));
  return svg("svg", { viewBox: "0 0 120 120", class: "leaper", "aria-hidden": "true" },
    svg("circle", { cx: 66, cy: 20, r: 9 }),
    limb("middle", "M62 36L54 68"), limb("right", "M62 38L40 46L26 32M54 68L34 78L14 96"),
    limb("left", "M62 38L84 42L100 24M54 68L80 74L104 92"));
}
