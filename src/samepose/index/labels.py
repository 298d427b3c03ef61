"""Labels apart from people: written down by who was where when, and given back to those who are found there again.

Ids of people and of tracks change when a file is read anew, at another rate or by another detector. What stays is the
place: a stretch of one label in a track is known by its times and by the boxes of a few of its sightings. It belongs to
the tracks whose boxes overlap those most at the same moments, between these times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from samepose.errors import FormatError, StoreError
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.index.schema import Medium
    from samepose.index.store import Store

FORMAT = "samepose-labels"
_SIGHTINGS = 5  # of a stretch that are written down
_OVERLAP = 0.3  # of two boxes (IoU) from which on they may be of the same person
_APART = 0.5  # seconds between moments that count as the same


@dataclass(frozen=True)
class Stretch:
    """Sightings of one track, one after the other, that have the same label.

    Attributes:
        first, last: seconds, 0 in an image.
        seen: (seconds, x0, y0, x1, y1) of some of them; no box where the people have none.
    """

    track: int
    first: float
    last: float
    label: str | None
    seen: tuple[tuple[float, ...], ...]


class Restored(NamedTuple):
    """What `Index.restore_labels` did: people labelled, and (path, why) of what could not be given back."""

    people: int
    lost: list[tuple[str, str]]


def stretches(poses: Poses, labels: Sequence[str | None], usual: str | None) -> tuple[Stretch, ...]:
    """All stretches of a medium whose people are not all labelled as the medium is; none otherwise."""
    if all(label == usual for label in labels):
        return ()
    times, found = np.nan_to_num(poses.times), []
    order = np.lexsort((np.arange(len(poses)), times, poses.tracks))
    begin = 0
    for end in range(1, len(order) + 1):
        i = order[begin]
        if end < len(order) and poses.tracks[order[end]] == poses.tracks[i] and labels[order[end]] == labels[i]:
            continue
        run = order[begin:end]
        some = run[np.unique(np.linspace(0, len(run) - 1, _SIGHTINGS).round().astype(int))]
        seen = tuple((float(times[j]), *map(float, poses.boxes[j])) for j in some if np.isfinite(poses.boxes[j]).all())
        found.append(Stretch(int(poses.tracks[i]), float(times[run[0]]), float(times[run[-1]]), labels[i], seen))
        begin = end
    return tuple(found)


def given_back(
    known: Sequence[Stretch], poses: Poses, usual: str | None
) -> tuple[list[str | None], list[Stretch]]:
    """The label of each of n people found anew, and the stretches that are of nobody among them.

    Args:
        usual: the label of who is in no stretch.
    """
    times, nearest = np.nan_to_num(poses.times), np.full(len(poses), np.inf)
    labels, lost = [usual] * len(poses), []
    for stretch in known:
        own = np.isin(poses.tracks, list(_tracks(stretch, poses, times)))
        apart = np.maximum(np.maximum(stretch.first - times, times - stretch.last), 0)
        mine = np.flatnonzero(own & (apart <= _APART) & (apart < nearest))
        nearest[mine] = apart[mine]
        for i in mine:
            labels[i] = stretch.label
        if not len(mine) and stretch.label != usual:
            lost.append(stretch)
    return labels, lost


def _tracks(stretch: Stretch, poses: Poses, times: Float[np.ndarray, " n"]) -> set[int]:
    """Whom the stretch was seen as."""
    from samepose.detection.likeness import overlap

    if not stretch.seen:  # people without boxes: there is only the number
        return {stretch.track}
    tracks = set()
    for time, *box in stretch.seen:
        apart = np.abs(times - time)
        if not len(apart) or apart.min() > _APART:
            continue
        there = np.flatnonzero(apart <= apart.min() + 1e-6)
        shared = np.nan_to_num(overlap(np.array([box], np.float32), poses.boxes[there])[0])
        if shared.max() >= _OVERLAP:
            tracks.add(int(poses.tracks[there[shared.argmax()]]))
    return tracks


def lost_text(lost: Sequence[Stretch]) -> str:
    """Which labels nobody has now."""
    names = sorted({repr(s.label) for s in lost if s.label is not None})
    return f"nobody was found where {', '.join(names)} was" if names else "some who had no label have one now"


def of_medium(store: Store, medium: Medium) -> tuple[Stretch, ...]:
    """The stretches of a medium of an index, see `stretches`."""
    from samepose.index.schema import poses_of
    from samepose.skeleton import SKELETONS

    if not medium.people or not store.differently_labelled(medium):
        return ()
    rows = store.people_of(medium.id)
    return stretches(poses_of(rows, SKELETONS[medium.skeleton or "COCO17"]), rows["label"].to_pylist(), medium.label)


def written_down(store: Store) -> dict[str, Any]:
    """See `Index.labels`. Where the people cannot be read, the labels of whole files are still given."""
    media, why = [], None
    for medium in store.all_media():
        known: tuple[Stretch, ...] = ()
        try:
            known = of_medium(store, medium) if why is None else ()
        except StoreError as error:
            why = str(error)
        if medium.label is not None or known:
            media.append({"path": medium.path, "hash": medium.hash, "label": medium.label,
                          "people": [asdict(stretch) for stretch in known]})
    return {"format": FORMAT, "version": 1, "media": media, "incomplete": why}


def restore(store: Store, labels: Mapping[str, Any]) -> Restored:
    """See `Index.restore_labels`; only inside `Store.writing`."""
    media = store.all_media()
    by_path, by_hash = {m.path: m for m in media}, {m.hash: m for m in media if m.hash}
    people, lost = 0, []
    for path, hash, label, known in _parsed(labels):
        medium = by_path.get(path) or by_hash.get(hash)
        if medium is None:
            lost.append((path, "is not in the index, neither by its name nor by its contents"))
            continue
        count, gone = _restore_medium(store, medium, label, known)
        people += count
        lost += [(path, lost_text(gone))] * bool(gone)
    return Restored(people, lost)


def _restore_medium(
    store: Store, medium: Medium, label: str | None, known: Sequence[Stretch]
) -> tuple[int, list[Stretch]]:
    from samepose.index.schema import poses_of
    from samepose.skeleton import SKELETONS

    store.label_media([medium.id], label)
    if not medium.people:
        return 0, list(known)
    if not known:
        return medium.people if label is not None else 0, []
    rows = store.people_of(medium.id)
    own, lost = given_back(known, poses_of(rows, SKELETONS[medium.skeleton or "COCO17"]), label)
    ids = rows["id"].to_pylist()
    for name in {name for name in own if name != label}:
        store.label_people([i for i, each in zip(ids, own) if each == name], name)
    return sum(name is not None for name in own), lost


def _parsed(labels: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None, list[Stretch]]]:
    """Path, hash, label and stretches of each medium.

    Raises:
        FormatError: it is not what `written_down` gave.
    """
    try:
        if (labels["format"], labels["version"]) != (FORMAT, 1):
            raise ValueError(f"{labels['format']} {labels['version']}")
        for each in labels["media"]:
            known = [Stretch(int(s["track"]), float(s["first"]), float(s["last"]), _text(s["label"]),
                             tuple(_sighting(seen) for seen in s["seen"])) for s in each["people"]]
            yield str(each["path"]), str(each["hash"]), _text(each["label"]), known
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"these are no labels that samepose wrote down ({type(error).__name__}: {error}); "
                          "give what `Index.labels()` gave") from error


def _text(label: Any) -> str | None:
    if label is not None and not isinstance(label, str):
        raise ValueError(f"{label!r} is no label")
    return label


def _sighting(seen: Any) -> tuple[float, ...]:
    time, x0, y0, x1, y1 = map(float, seen)
    return time, x0, y0, x1, y1
