// Addresses of the page: #/view?name=value. They never reach the server, and can be bookmarked and shared.

export const VIEWS = ["search", "compare", "moves", "map", "library"];

/** The view and parameters of an address; an unknown view is the search. */
export function parse(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { view: VIEWS.includes(path) ? path : "search", params: new URLSearchParams(query) };
}

/** The address of a view; parameters that are null, "" or false are left out. */
export function href(view, params = {}) {
  const entries = params instanceof URLSearchParams ? [...params] : Object.entries(params);
  const kept = entries.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  const query = new URLSearchParams(kept).toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

/** Go to a view: the view is mounted anew, and Back leads here again. */
export function navigate(view, params = {}) {
  const address = href(view, params);
  if (address === location.hash) return;
  history.pushState(null, "", address);
  dispatchEvent(new Event("samepose:route"));
}

/** Keep the state of the view that is shown in its address; nothing is mounted. `push` lets Back undo it. */
export function remember(view, params, { push = false } = {}) {
  const address = href(view, params);
  if (address === location.hash) return;
  history[push ? "pushState" : "replaceState"](null, "", address);
}
