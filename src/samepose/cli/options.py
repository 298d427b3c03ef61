"""What every verb accepts, and the way its output goes: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

import samepose
from samepose.cli.app import as_flags, shortened
from samepose.cli.text import shown
from samepose.errors import UsageError
from samepose.progress import Progress, silent

if TYPE_CHECKING:
    from samepose import Clip, Detector, Index, PrVipeEmbedder, Source

DEFAULT_INDEX = "samepose-index"
MOVES_FPS = 10.0  # frames per second of a video: as many moments as find, count and recognise compare at
Mode = Literal["fast", "balanced", "accurate"]
DETECTORS = ("movenet", "cpm", "cpm-synthetic")
DetectorName = Annotated[str, Parameter(help=f"{', '.join(DETECTORS)}, or an .onnx file that samepose exported; the "
                                             "others look where movenet finds people, and cpm is for research only.")]
Device = Literal["cpu", "cuda", "auto"]
Mirror = Literal["off", "also", "only"]
By = Literal["keypoints", "pixels", "both"]
Person = Annotated[int | None, Parameter(validator=Number(gte=0))]  # track id
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
# Libraries that only ask the environment, once, when they are loaded.
_POOLS = {"numpy": "OPENBLAS_NUM_THREADS", "numba": "NUMBA_NUM_THREADS", "lancedb": "LANCE_CPU_THREADS"}


@Parameter(name="*", group=Group("Everywhere", sort_key=99))
@dataclass(frozen=True)
class Options:
    """Options of every verb.

    Attributes:
        index: Folder or URI of the index.
        json: Print one JSON value to stdout and nothing else.
        quiet: Only results and errors: no messages, no progress.
        force: Replace output files that exist already; inputs and files of the index are never replaced.
        debug: Show where an error comes from.
        threads: How many threads to use; all cores by default, and at most four for each.
        device: Where networks run: cpu, cuda (an NVIDIA GPU; needs onnxruntime-gpu), or auto.
    """

    index: Annotated[str, Parameter(env_var="SAMEPOSE_INDEX")] = DEFAULT_INDEX
    json: Flag = False
    quiet: Flag = False
    force: Flag = False
    debug: Flag = False
    threads: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    device: Annotated[Device, Parameter(env_var="SAMEPOSE_DEVICE")] = "cpu"

    def __post_init__(self) -> None:
        if self.threads:  # each is started and has a stack of its own: thousands hang the machine
            object.__setattr__(self, "threads", min(self.threads, 4 * (os.cpu_count() or 1)))
        if self.device != "cpu":
            os.environ["SAMEPOSE_DEVICE"] = self.device  # `weights` asks it, wherever a network is opened

    def detector(self, mode: Mode, kind: DetectorName = "movenet") -> Detector:
        """The people detector. CPM looks at mirror images too when it is to be accurate.

        Raises:
            UsageError: it is none that is shipped, and no file.
        """
        self.limit_threads()
        if kind == "movenet":
            return samepose.MoveNet(mode, self.threads)
        if kind not in DETECTORS and not Path(kind).is_file():
            raise UsageError(f"--detector is {kind}; use {', '.join(DETECTORS)}, or an .onnx file that is there")
        made = samepose.CPM(kind, mode, flip=mode == "accurate", threads=self.threads)
        if made.research_only:
            self.note(f"{kind} has learned from photographs that are for research only; cpm-synthetic and movenet are "
                      "free of them")
        return made

    def embedder(self) -> PrVipeEmbedder:
        """The shipped embedder."""
        return self._embedder

    @cached_property
    def _embedder(self) -> PrVipeEmbedder:
        """Loaded once for all clips and indexes of a verb."""
        self.limit_threads()
        return samepose.PrVipeEmbedder.load(threads=self.threads)

    def open_index(self, *, create: bool = False, mode: Mode | None = None, kind: DetectorName = "movenet") -> Index:
        """The index named; with the detector and embedder if `mode` says how to look for people."""
        self.limit_threads()
        if mode is None:
            return samepose.Index.open(self.index, threads=self.threads)
        return samepose.Index.open(self.index, create=create, detector=self.detector(mode, kind),
                                   embedder=self.embedder(), threads=self.threads)

    def looking(self, mode: Mode, kind: DetectorName = "movenet") -> Callable[[], Detector]:
        """What loads the people detector when it is first needed, once."""
        return cache(lambda: self.detector(mode, kind))

    def source(
        self, text: str, detector: Callable[[], Detector], fps: float | None,
        span: tuple[float | None, float | None] = (None, None),
    ) -> Source:
        """A video, of which only the span is read, a pose file, or a file of the index, which must be there."""
        return samepose.open_source(text, index=self.open_index, detector=detector, fps=fps, span=span)

    def clip(self, source: Source, person: int | None) -> Clip:
        """One person of a source; says who it is."""
        self.note(f"looking for people in {source.name}")
        clip = samepose.Clip.open(source, person=person, embedder=self.embedder())
        there = len(set(source.people.tracks.tolist()))
        how = " (most prominent)" if person is None and there > 1 else ""
        self.note(f"{source.name}: person {clip.person} of {there}{how}")
        return clip

    def output(self, path: Path, suffixes: tuple[str, ...], *inputs: str | Path, hits: int = 0) -> Path:
        """The path of a file to write, checked before any work is done, see `check_outputs`.

        Args:
            hits: the most that are shown, of a sheet: many go on in further files.
        """
        from samepose.cli.outputs import sheets

        self.outputs(sheets(path, hits), suffixes, *inputs)
        return path

    def outputs(self, paths: Sequence[Path], suffixes: tuple[str, ...], *inputs: str | Path) -> None:
        """`output` for several."""
        from samepose.cli.outputs import check_outputs

        check_outputs(paths, suffixes, inputs, index=self.index, force=self.force)

    def result(self, value: Any, text: str) -> None:
        """What the verb found out: `value` with --json, else `text`."""
        print(json.dumps(value, allow_nan=False) if self.json else shown(text, keep="\n"))

    def done(self, value: Any, text: str) -> None:
        """What the verb did: as `result`, but silent with --quiet."""
        if self.json or not self.quiet:
            self.result(value, text)

    def note(self, text: str) -> None:
        """A message beside the result."""
        if not self.quiet:
            print(shown(text), file=sys.stderr)

    def warn(self, text: str) -> None:
        """A failure that does not stop the verb; --quiet shows it too."""
        print(f"error: {shown(shortened(as_flags(text)))}", file=sys.stderr)

    @contextmanager
    def progress(self, unit: str) -> Iterator[Progress]:
        """A bar with rate and time left on stderr, when somebody is looking at it."""
        if self.quiet or not sys.stderr.isatty():
            yield silent
            return
        from samepose.cli.progress import bar

        with bar(unit) as update:
            yield update

    def limit_threads(self) -> int | None:
        """Tell the libraries that have not been loaded yet; the number, if one is given."""
        if self.threads:
            for library, variable in _POOLS.items():
                if library not in sys.modules:
                    os.environ.setdefault(variable, str(self.threads))
        return self.threads


DEFAULTS = Options()


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports that only an extra brings.

    Raises:
        SameposeError: it is not installed; says how to.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("samepose"):
            raise
        from samepose.errors import SameposeError

        message = f"this needs {error.name}, which is not installed: pip install 'samepose[{extra}]'"
        raise SameposeError(message) from error


def counted(n: int, what: str) -> str:
    """ "1 file", "2 files"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def people_text(n: int) -> str:
    """ "1 person", "2 people"."""
    return f"{n:,} {'person' if n == 1 else 'people'}"
