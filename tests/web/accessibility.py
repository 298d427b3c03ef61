"""What a screen reader and weak eyes need of a page: names, and contrast as WCAG 2.2 computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

TEXT_PAIRS = [  # ink, paper, least contrast: 4.5 of text (WCAG 1.4.3), 3 of the edges of controls (1.4.11)
    *((ink, paper, 4.5) for ink in ("text", "muted") for paper in ("bg", "surface", "sunken")),
    ("accent", "bg", 4.5), ("accent", "surface", 4.5), ("accent", "accent-soft", 4.5), ("on-accent", "accent", 4.5),
    ("on-accent", "accent-strong", 4.5), ("danger", "surface", 4.5), ("danger", "bg", 4.5),
    ("danger", "danger-soft", 4.5), ("on-danger", "danger", 4.5), ("warning", "warning-soft", 4.5),
    ("line-strong", "surface", 3.0), ("line-strong", "bg", 3.0), ("focus", "bg", 3.0),
]

_CONTROLS = "a[href], button, input, select, textarea, summary, [role=button], [role=slider], [tabindex='0'], dialog"

_NAMELESS = """selector => [...document.querySelectorAll(selector)].filter(node => {
  if (!node.checkVisibility()) return false;
  const said = id => document.getElementById(id)?.textContent;
  const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").map(said).join("");
  const labels = [...(node.labels ?? [])].map(label => label.textContent).join("");
  const own = node.matches("input, select, textarea, dialog") ? "" : node.textContent;
  const seen = [...node.querySelectorAll("img[alt]")].map(image => image.alt).join("");
  const name = node.getAttribute("aria-label") || by || labels || own || seen;
  return !name.trim();
}).map(node => node.outerHTML.slice(0, 200))"""

_LOW = """() => {
  const part = value => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const rgba = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
  const over = ([r, g, b, a], under) => [r, g, b].map((v, k) => v * a + under[k] * (1 - a));
  const paper = node => {
    if (!node) return [255, 255, 255];
    const colour = rgba(getComputedStyle(node).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, paper(node.parentElement));
  };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
    if (node.closest("svg, :disabled, .hidden-text, .skip, noscript")) continue;
    const back = paper(node);
    const [a, b] = [light(over(rgba(getComputedStyle(node).color), back)), light(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push(walk.currentNode.data.trim());
  }
  return low;
}"""


def nameless(page: Page) -> list[str]:
    """Controls that are seen and have no name."""
    return list(page.evaluate(_NAMELESS, _CONTROLS))


def low_contrast(page: Page) -> list[str]:
    """Texts that stand out from what is behind them by less than 4.5 to 1; disabled ones may."""
    return list(page.evaluate(_LOW))


def contrast(page: Page, ink: str, paper: str) -> float:
    """Of two colours of the style sheet by name."""
    a, b = sorted((_luminance(page, ink), _luminance(page, paper)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def _luminance(page: Page, name: str) -> float:
    value = str(page.evaluate("name => getComputedStyle(document.documentElement).getPropertyValue(name)", f"--{name}"))
    parts = [int(value.strip()[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
