"""Is this installation in order? Everything that the verbs rely on, tried for real."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from samepose.errors import SameposeError
from samepose.weights import WEIGHTS, cores, read_weights, weight_file

# distribution -> module, where the names differ
_MODULES = {"pillow": "PIL"}


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        group: "system", "package", "weights", "works", "extra" or "index".
        name: what.
        ok: it is as it should be.
        detail: version, hash or problem, with the remedy.
        essential: without it nothing can be done.
    """

    group: str
    name: str
    ok: bool
    detail: str
    essential: bool = True


def examine(index: str | None = None) -> Iterator[Check]:
    """Look at versions, weights, a detection and an embedding, the extras, and an index if one is named."""
    yield Check("system", "samepose", True, version("samepose"))
    yield Check("system", "python", True, f"{platform.python_version()} ({sys.executable})")
    yield Check("system", "machine", True, f"{platform.system()} {platform.machine()}, {cores()} threads usable")
    yield from (_package(name) for name in _required(None))
    for name in WEIGHTS:
        yield _try("weights", name, partial(_weights, name))
    yield _try("works", "detection", _detects)
    yield _try("works", "embedding", _embeds)
    yield from (_extra(name) for name in ("eval", "train"))
    if index is not None:
        yield _try("index", index, partial(_index_state, index))


def _required(extra: str | None) -> list[str]:
    """Distributions that the package, or one of its extras, asks for."""
    names = []
    for line in requires("samepose") or []:
        name, needed_by = re.match(r"[\w.-]+", line), re.search(r"extra\s*==\s*['\"](\w+)", line)
        if name and (needed_by.group(1) if needed_by else None) == extra:
            names.append(name.group())
    return names


def _package(name: str) -> Check:
    try:
        import_module(_MODULES.get(name, name))
        return Check("package", name, True, version(name))
    except Exception as error:  # a broken binary wheel raises whatever it likes
        why = " ".join(str(error).split())[:200]
        return Check("package", name, False, f"{why}; run `pip install --force-reinstall {name}`")


def _try(group: str, name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(group, name, True, look())
    except Exception as error:  # the doctor reports what it finds, whatever it is
        why = " ".join(str(error).split())
        known = isinstance(error, SameposeError)
        return Check(group, name, False, why if known else f"{type(error).__name__}: {why}; reinstall samepose")


def _weights(name: str) -> str:
    read_weights(weight_file(name))
    return f"sha256 {WEIGHTS[name]}"


def _detects() -> str:
    import numpy as np

    from samepose.detection.movenet import MoveNet

    people = MoveNet("fast").detect(np.zeros((64, 64, 3), np.uint8))
    return f"runs, {len(people)} people in a black picture"


def _embeds() -> str:
    """A pose must match itself better than another, through the compiled kernel."""
    import numpy as np

    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.poses import Poses
    from samepose.skeleton import BODY13

    points = np.random.default_rng(0).normal(size=(2, len(BODY13), 2)) * 100
    embedder = PrVipeEmbedder.load(threads=1)
    embedded = embedder.embed(Poses.of(points, BODY13))
    own, other = embedder.matching.probability(embedded[0], embedded)[0]
    if not (np.isfinite(own) and own > other):
        raise SameposeError(f"a pose matches itself with {own:.3f} and another with {other:.3f}; reinstall samepose")
    return f"a pose matches itself with {own:.2f} and another with {other:.2f}"


def _extra(extra: str) -> Check:
    missing = []
    for name in _required(extra):
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    missing = [name for name in missing if name != "samepose"]
    detail = f"without {', '.join(missing)}; `pip install 'samepose[{extra}]'` adds them" if missing else "installed"
    return Check("extra", extra, not missing, detail, essential=False)


def _index_state(uri: str) -> str:
    from samepose.index.models import Models
    from samepose.index.store import Store

    store, models = Store(uri), Models(None, None, threads=1)
    models.keypoints_of(store), models.pixels_of(store)  # raise where the index is of others
    facts = store.info()
    names = ", ".join(space.model for space in facts.spaces)
    folder = Path(facts.root)
    place = "" if folder.is_dir() else f"; its files should lie in {folder}, which is not there"
    return f"{facts.media} files, {facts.people} people, model {names}{place}"
