"""How soon does the page of `samepose serve` stand, and does its map keep up? In the system's Chromium.

    python -m benchmarks.page --index DIR [--times 5]

A real server and a real browser on this machine, which draws without a graphics card. DIR may be made as for
`benchmarks.serve`. First paint is the browser's own "first-contentful-paint", each time in a new profile; a frame of
the map is a pan, a zoom and a drawing of all its points, and the time to the next frame is what a person sees.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
from benchmarks._machine import describe

_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
  const [first] = list.getEntriesByName("first-contentful-paint");
  if (first) done(first.startTime);
}).observe({ type: "paint", buffered: true }))"""

FRAMES = """async ([n, frames]) => {
  const { Scatter } = await import("/static/scatter.js");
  const canvas = document.createElement("canvas");
  document.querySelector("main:not([hidden])").replaceChildren(canvas);
  canvas.style.width = "1060px";
  canvas.style.height = "650px";
  const column = () => Uint16Array.from({ length: n }, () => 65535 * (Math.random() + Math.random()) / 2);
  const label = Uint16Array.from({ length: n }, (_, k) => k % 9);
  const kinds = [...Array(9).keys()].map(k => ({ colour: [25 * k, 100, 100], shape: k % 8, shown: true }));
  const scatter = new Scatter(canvas, { x: column(), y: column(), label }, kinds);
  const drawn = [], apart = [];
  let last = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < frames; frame += 1) {
    const start = performance.now();
    scatter.pan(3, 2);
    scatter.zoomBy(1.005);
    scatter.draw();
    drawn.push(performance.now() - start);
    const now = await new Promise(requestAnimationFrame);
    apart.push(now - last);
    last = now;
  }
  const inks = new Set(canvas.getContext("2d").getImageData(500, 300, 50, 50).data).size;
  return [drawn, apart, inks];
}"""


def quantiles(milliseconds: list[float]) -> str:
    """For people."""
    p50, p95 = np.quantile(milliseconds, [0.5, 0.95])
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms of {len(milliseconds)}"


def measure(url: str, times: int) -> None:
    """All of it, line by line."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser: Any = driver.chromium.launch(executable_path=shutil.which("chromium"),
                                              args=["--no-sandbox", "--disable-gpu", "--no-first-run"])
        print(f"Chromium {browser.version}, software rendering, without a window")
        for view in ("search", "map", "library"):
            paints = []
            for _ in range(times):
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                page.goto(f"{url}#/{view}")
                paints.append(page.evaluate(_PAINT))
                page.context.close()
            print(f"first paint of {view}: {quantiles(paints)}")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}#/library")
        page.locator(".facts").wait_for()
        drawn, apart, _ = page.evaluate(FRAMES, [100_000, 120])
        print(f"100,000 points, drawing: {quantiles(drawn)}")
        print(f"100,000 points, frame to frame: {quantiles(apart)}")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", required=True)
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    print(describe("fastapi", "uvicorn", "playwright"))
    command = [sys.executable, "-m", "samepose", "serve", "--port", "0", "--json", "--index", args.index]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        measure(json.loads(server.stdout.readline())["url"], args.times)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
