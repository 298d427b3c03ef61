"""How much memory one file takes: the peak of a process that reads it, above that of one that reads a small file.

    python -m benchmarks.memory [--kind NAME …]

The largest files that are accepted are made here in a temporary folder: pictures of each format at its limit, 4K and 8K
videos, an animation of many frames, a video whose header states four hours, a 500 MB keypoint JSON, a 300 MB BVH.
Each is read in a process of its own, some with detection, whose peak Linux tells (VmHWM: `ru_maxrss` would be that of
the process that made the file). The target is a gigabyte.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks._machine import describe, verdict
from benchmarks._spoiled import bvh
from PIL import Image

_CHILD = """
import sys
from pathlib import Path
path, how = Path(sys.argv[1]), sys.argv[2]
from samepose.errors import SameposeError
try:
    if how == "image":
        from samepose.media.image import read_image
        read_image(path)
    elif how == "detect":
        from samepose.detection import detect
        for _, found in zip(range(3), detect(path)): pass
    elif how == "keypoints":
        from samepose.formats.keypoints import load_poses
        load_poses(path)
    else:
        from samepose.formats.load_mocap import load_poseset
        load_poseset(path)
    became = "read"
except SameposeError as error:
    became = str(error).replace(str(path), path.name)
print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0], became)
"""


def picture(path: Path, millions: float, mode: str = "RGB", **options: Any) -> None:
    """A wide picture of that many million pixels, of soft noise."""
    height = round((millions * 1e6 / 2) ** 0.5)
    tile = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    image = Image.new(mode, (2 * height, height))
    deep = Image.fromarray(tile[..., 0].astype(np.uint16) * 257)
    part = deep if mode == "I;16" else Image.fromarray(tile).convert(mode)
    for x in range(0, image.width, 1024):
        image.paste(part, (x, 0))
    image.save(path, **options)


def animation(path: Path, frames: int) -> None:
    """Many frames of one picture."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
    image.save(path, save_all=True, append_images=[image.rotate(k) for k in range(1, 20)] * (frames // 20))


def video(path: Path, width: int, height: int, hours: float = 0.0) -> None:
    """Twelve frames, whose last is `hours` after the first."""
    import av

    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 8_000_000
        for k in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 20 * k, np.uint8), "rgb24")
            frame.pts = k if k < 11 or not hours else round(hours * 3600 * 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def keypoints(path: Path, megabytes: int) -> None:
    """COCO results."""
    person = json.dumps({"image_id": 1, "category_id": 1, "keypoints": [123.4567] * 51, "score": 0.5})
    with path.open("w") as file:
        file.write("[" + person)
        for _ in range(megabytes * 10**6 // (len(person) + 2)):
            file.write(", " + person)
        file.write("]")


def motion(path: Path, megabytes: int) -> None:
    """BVH with very many frames."""
    head, rows = bvh().split("Frames: 4\n")
    time, *lines = rows.splitlines()
    rest = "\n".join(lines) + "\n"
    times = megabytes * 10**6 // len(rest)
    with path.open("w") as file:
        file.write(f"{head}Frames: {4 * times}\n{time}\n")
        for _ in range(times):
            file.write(rest)


KINDS: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "JPEG, 139 MP": ("a.jpg", "image", lambda p: picture(p, 139)),
    "JPEG, 178 MP": ("a.jpg", "image", lambda p: picture(p, 178)),
    "JPEG, 178 MP, turned": ("a.jpg", "image", lambda p: picture(p, 178, exif=turned())),
    "JPEG, 178 MP, people": ("a.jpg", "detect", lambda p: picture(p, 178)),
    "progressive JPEG, 89 MP": ("a.jpg", "image", lambda p: picture(p, 89, progressive=True, subsampling=0)),
    "progressive JPEG, 178 MP": ("a.jpg", "image", lambda p: picture(p, 178, progressive=True)),
    "PNG, 139 MP": ("a.png", "image", lambda p: picture(p, 139, compress_level=1)),
    "PNG, 139 MP, transparent": ("a.png", "image", lambda p: picture(p, 139, "RGBA", compress_level=1)),
    "PNG, 178 MP": ("a.png", "image", lambda p: picture(p, 178, compress_level=1)),
    "TIFF, 75 MP": ("a.tif", "image", lambda p: picture(p, 75, compression="tiff_lzw")),
    "TIFF of 16 bits, 75 MP": ("a.tif", "image", lambda p: picture(p, 75, "I;16")),
    "WebP, 61 MP": ("a.webp", "image", lambda p: picture(p, 61, method=0)),
    "AVIF, 69 MP": ("a.avif", "image", lambda p: picture(p, 69, speed=10)),
    "GIF of 600 frames": ("a.gif", "image", lambda p: animation(p, 600)),
    "video 4K": ("a.mp4", "detect", lambda p: video(p, 3840, 2160)),
    "video 8K": ("a.mp4", "detect", lambda p: video(p, 7680, 4320)),
    "video of 4 hours": ("a.mp4", "detect", lambda p: video(p, 640, 480, 4.0)),
    "keypoints, 500 MB": ("a.json", "keypoints", lambda p: keypoints(p, 500)),
    "BVH, 300 MB": ("a.bvh", "motion", lambda p: motion(p, 300)),
}
SMALL: dict[str, tuple[str, Callable[[Path], None]]] = {
    "image": ("a.jpg", lambda p: picture(p, 0.1)), "detect": ("a.jpg", lambda p: picture(p, 0.1)),
    "keypoints": ("a.json", lambda p: keypoints(p, 0)), "motion": ("a.bvh", lambda p: motion(p, 1)),
}


def turned() -> Image.Exif:
    """EXIF of a picture that lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def peak(path: Path, how: str) -> tuple[float, str]:
    """Peak memory in GB of a process that reads a file, and what became of it."""
    done = subprocess.run([sys.executable, "-c", _CHILD, str(path), how], capture_output=True, text=True)
    if done.returncode:
        return float("nan"), f"died ({done.returncode}): {done.stderr.strip().splitlines()[-1:]}"
    kilobytes, became = done.stdout.split(" ", 1)
    return int(kilobytes) * 1024 / 1e9, became.strip()


def main(argv: list[str] | None = None) -> int:
    """Print a line for each kind of file; 1 if one takes more than a gigabyte above its floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="+", choices=sorted(KINDS), default=list(KINDS), metavar="NAME")
    args = parser.parse_args(argv)
    print(describe("pillow", "numpy", "av"))
    floors: dict[str, float] = {}
    worst = 0.0
    for name in args.kind:
        file, how, make = KINDS[name]
        with tempfile.TemporaryDirectory() as folder:
            if how not in floors:
                small, make_small = SMALL[how]
                make_small(Path(folder, f"small-{small}"))
                floors[how] = peak(Path(folder, f"small-{small}"), how)[0]
            make(Path(folder, file))
            size = Path(folder, file).stat().st_size / 1e6
            used, became = peak(Path(folder, file), how)
        above = used - floors[how]
        print(f"{name:26} {size:7.0f} MB  peak {used:5.2f} GB, {above:5.2f} above {floors[how]:.2f}  {became[:110]}",
              flush=True)
        worst = max(worst, above)
    print(verdict("the most of a file, GB", worst, 1.0))
    return int(not worst <= 1.0)


if __name__ == "__main__":
    sys.exit(main())
