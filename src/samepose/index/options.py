"""What to search for besides the pose: one frozen value, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from samepose.errors import UsageError
from samepose.matching.moment import LONGEST
from samepose.poses import Mirror, check_mirror


@dataclass(frozen=True)
class SearchOptions:
    """How to search.

    Attributes:
        k: hits wanted; fewer come when no more match.
        mirror: "also" takes the better of the pose and its mirror image for each person, "only" searches the latter.
        where: pattern of paths, or an id, see `Index.select`.
        label: only people of this label.
        time_from, time_to: seconds in the clip, inclusive; leaves out images.
        distinct: people of one track within so many seconds of a better hit are folded into it; 0: none.
        min_score: leave out what matches with a lower probability.
        dates: first and last time at which files were changed last, nanoseconds since the epoch.
        moment: seconds before and after that are compared too; 0: the frame alone; None: the usual where it can be.

    Raises:
        UsageError: a value is out of its range.
    """

    k: int = 10
    mirror: Mirror = "off"
    where: str | None = None
    label: str | None = None
    time_from: float | None = None
    time_to: float | None = None
    distinct: float = 0.5
    min_score: float = 0.0
    dates: tuple[int, int] | None = None
    moment: float | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"`k` is {self.k}; expected 1 or more")
        check_mirror(self.mirror)
        if not self.distinct >= 0:
            raise UsageError(f"`distinct` is {self.distinct} seconds; expected 0 or more")
        if not 0 <= self.min_score <= 1:
            raise UsageError(f"`min_score` is {self.min_score}; expected a probability, 0 to 1")
        if self.moment is not None and not 0 <= self.moment <= LONGEST:
            raise UsageError(f"`moment` is {self.moment} seconds before and after; expected 0, for the frame alone, to "
                             f"{LONGEST:g}; longer moves are for `find`")
        if any(time is not None and math.isnan(time) for time in (self.time_from, self.time_to)):
            raise UsageError("`time_from` and `time_to` are seconds; expected numbers")
