"""Files that attackers and broken programs write, by kind: what a reader is given, byte by byte."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib

import numpy as np
from benchmarks._spoiled import bvh, clip, coco, picture, pose_file


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG whose header promises what its body does not hold."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def gif(width: int, height: int) -> bytes:
    return (
        b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    )


def tiff(entries: int, offset: int) -> bytes:
    return b"II*\0" + struct.pack("<IH", offset, entries) + struct.pack("<HHII", 256, 4, 1, 2**31) * min(entries, 9)


def mp4(size: int, kind: bytes = b"moov") -> bytes:
    return struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + struct.pack(">I4s", size, kind) + bytes(64)


def boxes(depth: int) -> bytes:
    """Boxes of MP4 within boxes."""
    data = b""
    for _ in range(depth):
        data = struct.pack(">I4s", len(data) + 8, b"moov") + data
    return struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + data


def huge_frame() -> bytes:
    """A good MP4 whose headers state frames of 65,000 x 65,000."""
    good = clip("mp4", "mpeg4")
    return good.replace(struct.pack(">HH", 64, 48), struct.pack(">HH", 65_000, 65_000))


def tiff_of_samples(count: int) -> bytes:
    """A TIFF of 8 x 8 whose pixels are said to have so many samples, of which Pillow complains in its log."""
    size = [(256, 4, 8), (257, 4, 8), (258, 3, 8), (259, 3, 1)]
    entries = [*size, (262, 3, 2), (273, 4, 8), (277, 3, count), (278, 4, 8)]
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries) + bytes(300)


IMAGES: dict[str, bytes] = {
    "tiff of samples": tiff_of_samples(65_283),
    "900 million pixels": png(30_000, 30_000),
    "negative width": png(2**32 - 1, 8),
    "no pixels": png(0, 0),
    "no height": png(8, 0),
    "one column": png(1, 2**31 - 1),
    "all of 32 bits": png(2**31 - 1, 2**31 - 1),
    "body too long": png(4, 4, bytes(10**6)),
    "body too short": png(4000, 4000, bytes(9)),
    "bmp negative": bmp(-8, 8),
    "bmp least": bmp(8, -(2**31)),
    "bmp huge": bmp(2**30, 2**30),
    "bmp empty": bmp(0, 0),
    "gif empty": gif(0, 0),
    "gif largest": gif(65_535, 65_535),
    "tiff of entries": tiff(65_535, 8),
    "tiff behind its end": tiff(1, 2**31),
    "tiff of itself": tiff(1, 0),
    "only a signature": b"\xff\xd8\xff",
    "jpeg of markers": b"\xff\xd8" + b"\xff\xe1\xff\xff" * 5000,
    "jpeg ends at once": b"\xff\xd8\xff\xd9",
    "webp of nothing": b"RIFF\xff\xff\xff\xffWEBPVP8X",
    "page": b"<html>",
    "script": b"#!/bin/sh\nrm -rf /\n",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "ppm": b"P6 99999 99999 255\n",
    "psd": b"8BPS\0\1" + bytes(40),
    "icns": b"icns\0\0\0\x10" + bytes(8),
    "fits": b"SIMPLE  =                    T" + bytes(50),
    "wmf": b"\xd7\xcd\xc6\x9a\0\0" + bytes(60),
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
    "heic of nothing": b"\0\0\0\x18ftypheic" + bytes(60),
    "avif of nothing": b"\0\0\0\x18ftypavif" + bytes(60),
    "pdf": b"%PDF-1.7\n",
    "zip": b"PK\3\4" + bytes(60),
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "a video": clip("mp4", "mpeg4"),
    "a pose": json.dumps(coco(False)).encode(),
}
VIDEOS: dict[str, bytes] = {
    "box of no size": mp4(0),
    "box shorter than its head": mp4(1),
    "box of 4 GB": mp4(2**32 - 1),
    "boxes in boxes": boxes(3000),
    "media without a header": mp4(72, b"mdat"),
    "frames of 65,000": huge_frame(),
    "twice": clip("mp4", "mpeg4") * 2,
    "concat script": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "concat of itself": b"ffconcat version 1.0\nfile a.mp4\n",
    "playlist": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    "playlist of files": b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    "session": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "subtitles": b"1\n00:00:00,0 --> 00:00:09,0\nx\n",
    "y4m": b"YUV4MPEG2 W99999 H99999 F25:1\nFRAME\n",
    "avi of nothing": b"RIFF\xff\xff\xff\xffAVI LIST" + bytes(60),
    "ebml of nothing": b"\x1aE\xdf\xa3" + b"\xff" * 80,
    "ogg of nothing": b"OggS" + b"\xff" * 80,
    "flv": b"FLV\1\5" + b"\xff" * 80,
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\xff" * 80,
    "ts of sync bytes": (b"G" + bytes(187)) * 400,
    "gif": gif(65_535, 65_535),
    "png": picture("PNG"),
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "text": b"video\n" * 900,
}


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def promising(descr: str, shape: tuple[int, ...]) -> bytes:
    """An .npz whose header promises an array that is not there."""
    header, buffer = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("points.npy", header.getvalue() + bytes(8))
    return buffer.getvalue()


def member(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def nested(header: bytes) -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header


KEYPOINTS: dict[str, bytes] = {
    "a bomb of a petabyte": promising("<f8", (10**14,)),
    "negative shape": promising("<f8", (-1, 17, 2)),
    "overflowing shape": promising("<f8", (2**32, 2**32)),
    "many axes": promising("<f8", (1,) * 70),
    "no items": promising("<V0", (5,)),
    "objects": npz(points=np.array([{}], object)),
    "a name of paths": member("../../etc/passwd.npy", b"x"),
    "no arrays": member("readme.txt", b"x"),
    "header of brackets": member("points.npy", nested(b"(" * 9000)),
    "header of code": member("points.npy", nested(b"__import__('os').system('true')\n")),
    "a zip of nothing": b"PK\5\6" + bytes(18),
    "only a signature": b"PK",
    "newer": npz(**pose_file() | {"version": np.array(99)}),
    "version of text": npz(**pose_file() | {"version": np.array("x")}),
    "no points": npz(format=np.array("samepose poses")),
    "deep list": b"[" * 50_000,
    "deep object": b'{"a":' * 50_000,
    "deep and closed": b"[" * 50_000 + b"]" * 50_000,
    "long number": b"[" + b"9" * 100_000 + b"]",
    "latin": '["ä"]'.encode("latin-1"),
    "utf-16": "[]".encode("utf-16"),
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbf[]",
    "null bytes": b"[\0]",
    "nothing": b"",
    "spaces": b" " * 9999,
    "null": b"null",
    "a number": b"1e999",
    "a word": b'"x"',
    "an empty object": b"{}",
    "people is null": b'{"people": null}',
    "people of people": b'{"people": [{"people": []}]}',
    "annotations is text": b'{"annotations": "x"}',
    "id of lists": b'{"annotations": [{"keypoints": [], "image_id": []}], "images": [{"id": [], "file_name": 1}]}',
}
MOTION: dict[str, bytes] = {
    "deep joints": b"HIERARCHY\n"
    + b"ROOT a\n{\nOFFSET 0 0 0\nCHANNELS 0\n"
    + b"JOINT b\n{\n" * 3000
    + b"}" * 3001
    + b"\nMOTION\nFrames: 1\nFrame Time: 1\n",
    "a billion frames": bvh().replace("Frames: 4", "Frames: 1000000000").encode(),
    "frames below none": bvh().replace("Frames: 4", "Frames: -4").encode(),
    "a billion channels": bvh().replace("CHANNELS 3", "CHANNELS 1000000000", 1).encode(),
    "channels that lead back": bvh().replace("CHANNELS 3", "CHANNELS -2", 1).encode(),
    "channels below none": bvh().replace("CHANNELS 3", "CHANNELS -3", 1).encode(),
    "time of nothing": bvh().replace("0.033", "1e-320").encode(),
    "endless time": bvh().replace("0.033", "1e308").encode(),
    "absurd offsets": bvh().replace("OFFSET", "OFFSET 1e308").encode(),
    "no tree": b"HIERARCHY\nMOTION\nFrames: 1\nFrame Time: 1\n1",
    "a brace too many": bvh().replace("MOTION", "}\nMOTION").encode(),
    "no motion": bvh().split("MOTION")[0].encode(),
    "names of 100,000": bvh().replace("left_knee", "x" * 100_000).encode(),
    "all alike": bvh().replace("left_", "right_").encode(),
    "lies flat": bvh().replace("OFFSET", "OFFSET 0 0 0\nOFFSET 0 0 0 #").encode(),
    "binary": bytes(range(256)) * 20,
    "utf-16": bvh().encode("utf-16"),
    "old line ends": bvh().replace("\n", "\r").encode(),
}
