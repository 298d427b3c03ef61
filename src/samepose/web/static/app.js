// The shell: mounts the view that the address names, and tells when the server is lost or wants a token.
//
// A view is a module with `mount(root, params)`, which fills the empty <main>, and `unmount()`. It may have
// `resume()`, called when a lost server is back. Both may be async.

import { events, session, login } from "./api.js";
import { parse, VIEWS } from "./route.js";
import { button, el, notice, problem, toast } from "./ui.js";

const TITLES = { search: "Search", compare: "Compare", moves: "Moves", map: "Map", library: "Library" };
let shown = null; // { view, module }
let turn = 0;

async function show() {
  const { view, params } = parse();
  const mine = ++turn;
  const root = document.getElementById(view);
  const moved = shown !== null && shown.view !== view;
  await shown?.module?.unmount();
  for (const name of VIEWS) {
    const main = document.getElementById(name);
    main.hidden = name !== view;
    if (name !== view) main.replaceChildren();
  }
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = view === "search" ? "samepose" : `${TITLES[view]} · samepose`;
  root.replaceChildren();
  shown = { view, module: null };
  try {
    await session();
    const module = await import(`./${view}.js`);
    if (mine !== turn) return;
    shown.module = module;
    await module.mount(root, params);
    if (moved) root.focus({ preventScroll: true });
  } catch (error) {
    if (mine === turn && error.kind !== "lost" && error.status !== 401) root.replaceChildren(problem(error, show));
  }
}

function banner(...content) {
  const place = document.getElementById("banner");
  place.replaceChildren(...content);
  place.hidden = content.length === 0;
}

events.addEventListener("lost", () => {
  banner(el("strong", {}, "The server does not answer."),
    " It may have been stopped: start samepose serve again in the terminal. This page goes on when it is back.");
});

events.addEventListener("back", () => {
  banner();
  toast("The server is back.");
  if (shown?.module?.resume) shown.module.resume();
  else if (!shown?.module) show();
});

events.addEventListener("login", () => {
  const root = document.getElementById(parse().view);
  const field = el("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const wrong = el("p", { class: "field-error", role: "alert" });
  const form = el("form", { class: "login card" }, el("h1", {}, "This page is private"),
    el("p", { class: "muted" }, "The terminal that runs samepose serve shows its token."),
    el("label", { for: "token" }, "Token"), field, wrong, button("Open", null, { type: "submit", class: "primary" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await login(field.value.trim());
      show();
    } catch (error) {
      wrong.textContent = error.message;
      field.select();
    }
  });
  root.replaceChildren(form);
  field.focus();
});

document.getElementById("skip").addEventListener("click", () => document.getElementById(parse().view).focus());
addEventListener("popstate", show);
addEventListener("samepose:route", show);
addEventListener("unhandledrejection", ({ reason }) => {
  if (reason?.name !== "AbortError" && reason?.kind !== "lost" && reason?.status !== 401) notice(reason);
});
show();
