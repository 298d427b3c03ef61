"""`samepose eval retrieval`: cross-view retrieval on motion capture, Human3.6M or MPI-INF-3DHP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from samepose.cli.motion import Data, Frames, drawn_frames, load_motion
from samepose.cli.options import DEFAULTS, Flag, Options
from samepose.errors import UsageError
from samepose.evaluation.views import Keypoints
from samepose.files import written

if TYPE_CHECKING:
    import numpy as np

    from samepose.evaluation.retrieval import RetrievalResult, Scorer
    from samepose.evaluation.table1 import Column
    from samepose.evaluation.views import Camera
    from samepose.formats.multiview import MultiView


def retrieval(
    *,
    data: Data | None = None,
    h36m: Path | None = None,
    mpi_inf_3dhp: Annotated[Path | None, Parameter(name="--mpi-inf-3dhp")] = None,
    views: Path | None = None,
    detections: Path | None = None,
    frame_list: Path | None = None,
    cameras: str | None = None,
    keypoints: Keypoints | None = None,
    frames: Frames | None = None,
    model: Annotated[list[str] | None, Parameter(negative="")] = None,
    pairs: str | None = None,
    held_out: Path | None = None,
    baselines: Flag = False,
    hide: str = "",
    hidden_pairs: Flag = False,
    joint_map: Path | None = None,
    markdown: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Hit@k of finding the pose of one camera in the view of another, over all pairs of cameras.

    A find is right within NP-MPJPE kappa of the query in 3D (Sun 2020, section 4.2). Frames are drawn without near
    duplicates. The figures move with their number and with the cameras: compare like with like. A model that tells
    whom it was trained on is reported when it is measured on them.

    With --h36m or --mpi-inf-3dhp it is a column of the paper's table 1: real cameras, keypoints of a detector or
    projected, the published frames or those that the paper's rule leaves.

    With --views it is what a detector saw of people whose 3D pose is known: of each instant the first four cameras that
    see six joints.

    Args:
        data: Motion capture that the model never saw: BVH, AMC, C3D or .npz files, or folders of them.
        h36m: Human3.6M: the folder of data_3d_h36m.npz, or of S9/MyPoses/3D_positions/*.h5, with data_2d_h36m_gt.npz or
            cameras.h5. Subjects 9 and 11.
        mpi_inf_3dhp: MPI-INF-3DHP: the folder of S1/Seq1/annot.mat and so on.
        views: A file that `samepose synth --views` made (.npz), of people that the model never saw.
        detections: What a detector saw in those videos: .npz with positions_2d and metadata; projected without it.
        frame_list: The frames to measure: the folder of the published .txt files, or a .csv of clip,frame.
        cameras: Of --data: chest4, all11 (the default), or a .json or .csv file of azimuth, elevation, roll in degrees;
            of --mpi-inf-3dhp: all11 (the default) or chest5.
        keypoints: Of --data: perfect (the default), noisy (Gaussian), or detected (with the faults of MoveNet).
        frames: How many to draw; by default 1,500 of --data, all of the others.
        model: An exported .onnx, the folder of a training run (needs samepose[train]), or prvipe, the shipped weights,
            which are also the default; repeat it for several. The shipped ones are measured alone and as `search`
            ranks with them, prvipe+pairs (but with --hidden-pairs: it would take hours).
        pairs: Also rank each model's shortlists as `search` does: by pairs, the shipped pair network, or an exported
            one (.onnx).
        held_out: Text file of the only subjects of --data to use, one a line.
        baselines: Also rank by 2D Procrustes distance.
        hide: Parts or joints hidden from the queries, such as left_arm,legs.
        hidden_pairs: Hide every two joints from the queries in turn, average, and name the worst two.
        joint_map: TOML file that says which joints of --data are which, as ours = "theirs".
        markdown: Also write the tables to this file (.md).
    """
    from samepose.cli.models import contestants, known_subjects
    from samepose.evaluation.report import markdown_table, text_table, to_json

    if markdown is not None:
        options.output(markdown, (".md",))
    hidden = _joints(hide)
    if [bool(data), h36m is not None, mpi_inf_3dhp is not None, views is not None].count(True) != 1:
        raise UsageError("name one thing to measure on: --data, --h36m, --mpi-inf-3dhp or --views")
    if (data or views) and (detections or frame_list):
        raise UsageError("--detections and --frame-list belong to --h36m and --mpi-inf-3dhp")
    if data:
        seen_as = _views(cameras or "all11", keypoints or "perfect", hidden, hidden_pairs)
    elif keypoints or held_out or joint_map or hidden_pairs:
        raise UsageError("--keypoints, --held-out, --joint-map and --hidden-pairs belong to --data")
    elif views and cameras:
        raise UsageError("--cameras belongs to --data and --mpi-inf-3dhp")
    models = contestants(model or [], pairs=pairs, second_look=not hidden_pairs, baselines=baselines,
                         threads=options.limit_threads())
    ground = (
        _Motion.read(data, joint_map, held_out, frames or 1500, seen_as, options) if data else
        _Seen.read(views, frames or 1500, hidden, options) if views else
        _Videos.read(h36m, mpi_inf_3dhp, cameras, detections, frame_list, frames, hidden, options)
    )
    results, known = [], dict[str, list[str]]()
    with options.progress("model") as progress:
        for k, (name, contestant) in enumerate(models.items()):
            progress(k, len(models), name)
            if seen := known_subjects(name, contestant.subjects, ground.subjects, options):
                known[name] = seen
            results += ground.measure({name: contestant.scorer})
    if markdown is not None:
        with written(markdown) as part:
            part.write_text(_tables(results, ground.cameras, markdown_table) + "\n", "utf-8")
    document = to_json(results)
    for name, seen in known.items():
        document["models"][name]["trained_on"] = seen
    options.result(document, _tables(results, ground.cameras, text_table))
    return 1 if ground.failed else 0


@dataclass(frozen=True)
class _Views:
    """How motion capture is looked at."""

    cameras: tuple[Camera, ...]
    name: str
    keypoints: Keypoints
    hide: tuple[str, ...]
    hidden_pairs: bool


def _views(cameras: str, keypoints: Keypoints, hide: tuple[str, ...], hidden_pairs: bool) -> _Views:
    from samepose.evaluation.views import CAMERAS, cameras_of

    if hide and hidden_pairs:
        raise UsageError("--hidden-pairs hides every two joints; leave out --hide, or --hidden-pairs")
    name = cameras.lower() if cameras.lower() in CAMERAS else cameras
    return _Views(cameras_of(cameras), name, keypoints, hide, hidden_pairs)


@dataclass(frozen=True, eq=False)
class _Motion:
    """Frames of motion capture, to be seen by made-up cameras."""

    points: np.ndarray
    subjects: tuple[str, ...]
    views: _Views
    failed: bool

    @classmethod
    def read(
        cls, data: list[Path], joint_map: Path | None, held_out: Path | None, frames: int, views: _Views,
        options: Options,
    ) -> _Motion:
        poses = load_motion(data, joint_map, options)
        points, subjects = drawn_frames(poses, held_out, frames, options)
        return cls(points, subjects, views, bool(poses.failed))

    @property
    def cameras(self) -> int:
        return len(self.views.cameras)

    def measure(self, scorers: Mapping[str, Scorer]) -> list[RetrievalResult]:
        from samepose.evaluation.retrieval import evaluate, evaluate_hidden_pairs

        views = self.views
        if views.hidden_pairs:
            return evaluate_hidden_pairs(self.points, scorers, views.cameras, cameras_name=views.name,
                                         keypoints=views.keypoints)
        return evaluate(self.points, scorers, views.cameras, cameras_name=views.name, keypoints=views.keypoints,
                        hide=views.hide)


@dataclass(frozen=True, eq=False)
class _Videos:
    """Frames of people whom real cameras filmed."""

    column: Column
    subjects: tuple[str, ...]
    hide: tuple[str, ...]
    failed: bool = False

    @classmethod
    def read(
        cls, h36m: Path | None, mpi_inf_3dhp: Path | None, cameras: str | None, detections: Path | None,
        frame_list: Path | None, frames: int | None, hide: tuple[str, ...], options: Options,
    ) -> _Videos:
        from samepose.evaluation.frame_list import read_frame_list
        from samepose.evaluation.table1 import h36m_column, mpi_inf_3dhp_column

        if frame_list and frames:
            raise UsageError("--frame-list says which frames; leave out --frames")
        if (cameras or "all11") not in ("all11", "chest5") or (h36m and cameras):
            raise UsageError("--cameras is all11 or chest5 with --mpi-inf-3dhp, and all four with --h36m: leave it out")
        listed = read_frame_list(frame_list) if frame_list else None
        options.note(f"reading {h36m or mpi_inf_3dhp}")
        if h36m:
            column = h36m_column(h36m, detections, listed, frames)
        else:
            assert mpi_inf_3dhp
            column = mpi_inf_3dhp_column(mpi_inf_3dhp, detections, listed, frames,
                                         "chest5" if cameras == "chest5" else "all11")
        for note in column.notes:
            options.note(note)
        # Nobody trains on MPI-INF-3DHP here, and its S1 is not Human3.6M's.
        return cls(column, column.views.subjects if h36m else (), hide)

    @property
    def cameras(self) -> int:
        return len(self.column.views.cameras)

    def measure(self, scorers: Mapping[str, Scorer]) -> list[RetrievalResult]:
        return self.column.measure(scorers, self.hide)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Instants of people with a known pose, as a detector saw them in some cameras."""

    views: MultiView
    hide: tuple[str, ...]
    failed: bool = False

    @classmethod
    def read(cls, path: Path, frames: int, hide: tuple[str, ...], options: Options) -> _Seen:
        from samepose.evaluation.retrieval import select_frames
        from samepose.formats.multiview import read_views

        options.note(f"reading {path}")
        found = read_views(path).seen_in()
        chosen = found.take(select_frames(found.points, frames))
        if len(chosen) < 2:
            raise UsageError(f"{path}: {len(chosen)} instants that differ and that four cameras see; render more "
                             "people, with --cameras-per-instant 6 or more")
        return cls(chosen, hide)

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.views.subjects

    @property
    def cameras(self) -> int:
        return len(self.views.cameras)

    def measure(self, scorers: Mapping[str, Scorer]) -> list[RetrievalResult]:
        from samepose.evaluation.retrieval import evaluate_views

        return evaluate_views(self.views.points, self.views.keypoints, scorers, cameras_name="any",
                              keypoints="detector", hide=self.hide)


def _joints(hide: str) -> tuple[str, ...]:
    from samepose.skeleton import BODY13, parts

    joints = tuple(joint for joint in parts(hide) if joint in BODY13.joints)
    if hide and not joints:
        raise UsageError(f"--hide {hide}: none of these is among {', '.join(BODY13.joints)}")
    return joints


def _tables(
    results: list[RetrievalResult], cameras: int, table: Callable[[list[RetrievalResult], float], str]
) -> str:
    from samepose.evaluation.report import hidden_pairs_text
    from samepose.evaluation.retrieval import KAPPAS

    pairs = cameras * (cameras - 1)
    caption = f"N = {results[0].frames:,} frames in each of {cameras} cameras, mean of all {pairs} pairs"
    costs = "\n".join(line for result in results if (line := hidden_pairs_text(result)))
    return "\n\n".join([*(table(results, kappa) for kappa in KAPPAS), *([costs] if costs else []), caption])
