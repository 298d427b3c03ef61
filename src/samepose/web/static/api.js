// The API of the server: answers as JSON, what goes wrong as an ApiError with a remedy.

/** What went wrong; `kind` as in the API, or "lost" when the server does not answer. */
export class ApiError extends Error {
  constructor(message, { remedy = null, kind = "unexpected", status = 0 } = {}) {
    super(message);
    Object.assign(this, { remedy, kind, status });
  }
}

/** "lost" and "back" as the server goes and comes; "login" when it wants its token. */
export const events = new EventTarget();

let known = null; // promise of the session
let lost = false;

/** What the server told first; asked once, and again after it was lost or with `fresh`. */
export function session({ fresh = false } = {}) {
  if (fresh || known === null) {
    known = ask("/api/session");
    known.catch(() => { known = null; });
  }
  return known;
}

export const get = (path, options) => ask(path, options);

/** POST of JSON; a change is sent with the session's token, taken anew once if the server was restarted. */
export async function post(path, body, options = {}) {
  const send = async () => ask(path, { ...options, method: "POST", body: JSON.stringify(body), headers: {
    "Content-Type": "application/json", "X-Samepose-CSRF": (await session()).csrf } });
  try {
    return await send();
  } catch (error) {
    if (error.status !== 403) throw error;
    await session({ fresh: true });
    return send();
  }
}

/** POST of a picture's or video's bytes to /api/query; a video is asked at its first moment. */
export function upload(file) {
  const type = /^(image|video)\/[a-z0-9.+-]+$/.test(file.type) ? file.type : "application/octet-stream";
  const path = `/api/query?${new URLSearchParams({ name: file.name || "picture" })}`;
  return ask(path, { method: "POST", body: file, headers: { "Content-Type": type } });
}

/** POST of JSON whose answer is a file: its bytes and name. */
export async function download(path, body) {
  const answer = await reach(path, { method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" } });
  const named = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return { blob: await answer.blob(), name: named?.[1] ?? null };
}

export async function login(token) {
  await ask("/api/login", { method: "POST", body: JSON.stringify({ token }),
    headers: { "Content-Type": "application/json" } });
  known = null;
}

async function ask(path, options = {}) {
  const answer = await reach(path, options);
  return answer.status === 204 ? null : answer.json();
}

async function reach(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    lose();
    throw new ApiError("The server does not answer.", { kind: "lost",
      remedy: "Start samepose serve again; this page goes on when it is back." });
  }
  if (answer.ok) return answer;
  const told = await answer.json().then((body) => body.error, () => null);
  if (answer.status === 401 && path !== "/api/login") events.dispatchEvent(new Event("login"));
  throw new ApiError(told?.message ?? `The server answered ${answer.status}.`,
    { remedy: told?.remedy, kind: told?.kind, status: answer.status });
}

/** Ask once a second until the server answers again. */
async function lose() {
  if (lost) return;
  lost = true;
  known = null;
  events.dispatchEvent(new Event("lost"));
  while (lost) {
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    lost = await fetch("/api/session", { cache: "no-store" }).then(() => false, () => true);
  }
  events.dispatchEvent(new Event("back"));
}
