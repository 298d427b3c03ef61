"""`samepose optimise`."""

from __future__ import annotations

from samepose.cli.options import DEFAULTS, Options, counted, people_text


def optimise(*, ray: str | None = None, options: Options = DEFAULTS) -> None:
    """Make searches of an index as fast as they can be: merge small files, bring the search indices up to date.

    `samepose index` does it too when it is due; this does it now, such as after many machines have written.

    Args:
        ray: Merge files and build indices on a Ray cluster: its address, or auto for the one on this machine, which is
            started when there is none. Its nodes must see the index where it is. Needs the extra ray.
    """
    people, files, unindexed = options.open_index().optimise(ray)
    options.done({"index": options.index, "people": people, "files": list(files), "unindexed": list(unindexed)},
                 f"{options.index}: {people_text(people)} in {counted(files[1], 'file')}, before in {files[0]:,}; "
                 f"{unindexed[1]:,} outside the search index, before {unindexed[0]:,}")
