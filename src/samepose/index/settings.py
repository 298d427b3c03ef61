"""How the media of an index are read: remembered with it, so that nobody has to say it again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from samepose.errors import UsageError
from samepose.index.schema import GIVEN
from samepose.weights import WEIGHTS

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.index.schema import Medium
    from samepose.index.store import Store

Fps = float | None | Literal["remembered"]
_ALL = "all"  # as a fact: every frame
_DEFAULT_FPS = 10.0


class Settings(NamedTuple):
    """The detector's name, None where nothing was read yet; and frames per second of videos, None for every frame."""

    detector: str | None
    fps: float | None


def remembered(store: Store) -> Settings:
    """What was asked for last; in an index that does not tell, how most of its media were read."""
    facts = store.facts
    if "detector" in facts and "fps" in facts:
        return Settings(facts["detector"], None if facts["fps"] == _ALL else float(facts["fps"]))
    media = [m for m in store.all_media() if m.mode not in GIVEN]
    modes = Counter(m.mode for m in media).most_common(1)
    rates = Counter(m.fps for m in media if m.kind == "video").most_common(1)
    return Settings(modes[0][0] if modes else None, rates[0][0] if rates else _DEFAULT_FPS)


def remember(store: Store, settings: Settings) -> None:
    """Keep them; only inside `Store.writing`."""
    store.put_facts(detector=settings.detector or "", fps=_ALL if settings.fps is None else repr(settings.fps))


def remember_licence(store: Store, detector: Detector) -> None:
    """Keep that people found by this detector are for research only, if they are; only inside `Store.writing`."""
    known = _research_only(store)
    if getattr(detector, "research_only", False) and detector.name not in known:
        store.put_facts(research_only=json.dumps([*known, detector.name]))


def for_research_only(store: Store, media: Sequence[Medium]) -> list[Medium]:
    """Media of an index that were read by such a detector, or whose people have embeddings of such a network."""
    known = _research_only(store)
    embedded = any(space.sha256 == WEIGHTS["image"] for space in store.spaces)
    return [medium for medium in media if medium.mode in known or (embedded and medium.people)]


def _research_only(store: Store) -> list[str]:
    names: list[str] = json.loads(store.facts.get("research_only", "[]"))
    return names


def detector_named(name: str | None, threads: int | None) -> Detector:
    """The shipped detector of a name; MoveNet in its balanced mode for None.

    Raises:
        UsageError: it is none that comes with samepose.
    """
    from samepose.detection.cpm import CPM, SHIPPED
    from samepose.detection.movenet import Mode, MoveNet

    if not name:
        return MoveNet("balanced", threads)
    for mode in get_args(Mode):
        if name.startswith(f"movenet-{mode}-"):
            return MoveNet(mode, threads)
        for kind in SHIPPED if f"-{mode}-" in name else ():
            made = CPM(kind, mode, flip=mode == "accurate", threads=threads)
            if made.name == name:
                return made
    raise UsageError(f"the index was filled by the detector {name}; give it as `detector`, or another one on purpose")
