"""`samepose cluster`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Options, counted, people_text
from samepose.cli.text import table_text

if TYPE_CHECKING:
    from samepose import Groups

_LISTED = 20  # groups in the table of a terminal; --json has all


def cluster(
    index: str | None = None,
    /,
    *,
    by: Literal["keypoints", "pixels", "both"] = "keypoints",
    min_size: Annotated[int, Parameter(validator=Number(gte=2))] = 3,
    report: Path | None = None,
    label_as: str | None = None,
    options: Options = DEFAULTS,
) -> None:
    """Group the people of an index by pose, each group with its most typical member.

    Everybody in a group matches its centre with a probability of 0.25 or more; who matches nobody often enough is
    noise. A pose that is held in a video counts once.

    Args:
        index: Folder or URI of the index; --index by default.
        by: What to compare people by; "both" takes those who have both.
        min_size: How many sightings make a group.
        report: Write a page with pictures of the groups (.html).
        label_as: Label the members of each group, "pose" as pose-1, pose-2, … in place of the labels that they have.
    """
    options = options if index is None else replace(options, index=index)
    if report is not None:
        options.output(report, (".html",))
    groups = options.open_index().cluster(by=by, min_size=min_size, label_as=label_as)
    if report is not None:
        groups.write(report)
        options.note(f"wrote {report}")
    value = groups.to_json() if label_as is None else {**groups.to_json(), "labelled": groups.labelled}
    options.result(value, _text(groups, options.index, label_as))


def _text(groups: Groups, index: str, label_as: str | None) -> str:
    inside = sum(group.size for group in groups)
    unseen = f"; of {groups.not_embedded:,} more too little is seen" if groups.not_embedded else ""
    lines = [f"{index}: {counted(len(groups), 'group')} of {people_text(inside)}; "
             f"noise: {people_text(len(groups.noise))} in no group{unseen}"]
    if label_as is not None:
        lines.append(f"{index}: {people_text(groups.labelled)} labelled" + (
            f" '{label_as}-1' to '{label_as}-{len(groups)}'" if groups else ""))
    return "\n".join([*lines, *([_table(groups)] if groups else [])])


def _table(groups: Groups) -> str:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("group", "people", "sightings", "medoid"):
        table.add_column(name, justify="left" if name == "medoid" else "right", no_wrap=True)
    for group in groups[:_LISTED]:
        table.add_row(str(group.id), str(group.size), str(group.sightings), group.medoid)
    rest = len(groups) - _LISTED
    return table_text(table) + (f"\n… and {counted(rest, 'smaller group')}" if rest > 0 else "")
