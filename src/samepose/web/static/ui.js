// Elements, messages and dialogs. Text only ever becomes text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, `on…` listeners, and children; a string is text, null is nothing. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A button; `icon` is a name of ICONS, and without `text` `label` is what it is called. */
export function button(text, onclick, { icon: shape, label, type = "button", ...attributes } = {}) {
  const named = label ? { "aria-label": label, title: label } : {};
  const node = el("button", { type, ...named, ...attributes }, shape ? icon(shape) : null,
    text ? el("span", {}, text) : null);
  if (onclick) node.addEventListener("click", onclick);
  return node;
}

const ICONS = {
  back: "M15 5l-7 7 7 7", next: "M9 5l7 7-7 7", close: "M6 6l12 12M18 6L6 18", play: "M8 5l11 7-11 7z",
  pause: "M8 5v14M16 5v14", undo: "M9 14L4 9l5-5M4 9h10a6 6 0 010 12h-3", redo: "M15 14l5-5-5-5M20 9H10a6 6 0 000 12h3",
  mirror: "M12 3v18M8 7L3 17h5zM16 7l5 10h-5z", upload: "M12 16V4M7 9l5-5 5 5M4 20h16",
  download: "M12 4v12M7 11l5 5 5-5M4 20h16", label: "M3 12V4h8l10 10-7 7zM7.500 8h.01",
  remove: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13", filter: "M3 5h18M6 12h12M10 19h4",
  similar: "M11 4a7 7 0 100 14 7 7 0 000-14zM16 16l5 5", zoom: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  person: "M12 8a2.500 2.500 0 100-5 2.500 2.500 0 000 5zM12 8v7M6 11l6-1 6 1M8 21l4-6 4 6",
  link: "M10 14l4-4M8 12l-3 3a3 3 0 004 4l3-3M16 12l3-3a3 3 0 00-4-4l-3 3",
  check: "M5 12l5 5 9-10", film: "M4 5h16v14H4zM8 5v14M16 5v14M4 12h16", plus: "M12 5v14M5 12h14",
  reset: "M4 4v6h6M5 10a8 8 0 11-1 5",
};

/** A drawing of 20 pixels that says nothing to a screen reader. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", width: 20, height: 20, class: "icon", "aria-hidden": "true" },
    svg("path", { d: ICONS[name] }));
}

/** A message that goes by itself; `kind` "error" stays longer. */
export function toast(text, { kind = "info", remedy = null } = {}) {
  const note = el("div", { class: `toast ${kind}` }, el("span", {}, text, remedy ? el("small", {}, remedy) : null),
    button("", () => note.remove(), { icon: "close", label: "Dismiss", class: "quiet" }));
  const place = document.getElementById("toasts");
  place.append(note);
  while (place.childElementCount > 3) place.firstElementChild.remove();
  setTimeout(() => note.remove(), kind === "error" ? 12_000 : 5_000);
}

/** A toast for an error; one that the user caused by going on is not told. */
export function notice(error) {
  if (error?.name === "AbortError" || error?.kind === "lost") return;
  toast(error?.message ?? String(error), { kind: "error", remedy: error?.remedy });
}

/** An error in place of what it kept away, with its remedy and, if given, a way on: `again`, on a button `way`. */
export function problem(error, again = null, way = "Try again") {
  return el("section", { class: "empty", role: "alert" }, el("h2", {}, error.message),
    error.remedy ? el("p", { class: "muted" }, sentence(error.remedy)) : null,
    again ? button(way, again) : null);
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** A modal dialog with a title and a way out; Escape closes it and the focus returns. `closed` is called at its end. */
export function dialog(title, body, { closed = null, wide = false } = {}) {
  const before = document.activeElement;
  const box = el("dialog", { class: wide ? "wide" : "", "aria-label": title },
    el("header", {}, el("h2", {}, title),
      button("", () => box.close(), { icon: "close", label: "Close", class: "quiet" })), body);
  box.addEventListener("close", () => {
    box.remove();
    closed?.();
    before?.focus?.({ preventScroll: true });
  });
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Ask before something is done; true if it was confirmed. */
export function confirm(title, body, action) {
  return new Promise((resolve) => {
    let agreed = false;
    const box = dialog(title, el("div", { class: "stack" }, body, el("div", { class: "row end" },
      button("Cancel", () => box.close()),
      button(action, () => { agreed = true; box.close(); }, { class: "danger" }))), { closed: () => resolve(agreed) });
  });
}

/** Seconds as 1:02.4; of a photo nothing. */
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}
