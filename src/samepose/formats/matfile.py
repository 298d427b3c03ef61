"""MATLAB files that may be damaged."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from math import prod
from pathlib import Path
from struct import Struct, unpack_from
from typing import Any
from zlib import decompressobj

from samepose.errors import FormatError
from samepose.media import irregular

_MATRIX, _COMPRESSED = 14, 15
_KINDS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, _MATRIX, _COMPRESSED, 16, 17, 18})
_SPARSE = 5  # class of a matrix: no data set has one, and SciPy trusts its tables of indices
_DEEPEST = 50  # matrices within matrices; MPII's labels have nine
_LARGEST = 2**30  # bytes of a compressed element unpacked


def read_mat(path: Path, variables: tuple[str, ...]) -> dict[str, Any]:
    """Those of `variables` that the file has. Structs are objects with attributes, single values are not arrays.

    Raises:
        FormatError: missing, damaged, of MATLAB 7.3, or with none of them.
    """
    file = load_mat(path, variables, struct_as_record=False, squeeze_me=True)
    found = {name: file[name] for name in variables if name in file}
    if not found:
        raise FormatError(f"{path}: has no {' or '.join(variables)}; is it the label file of this data set?")
    return found


def load_mat(
    path: Path, variables: Sequence[str] | None = None, *, newer: str = "; save it again with -v7", **options: Any
) -> dict[str, Any]:
    """What `scipy.io.loadmat` reads of a file.

    Args:
        variables: the only ones to read; None: all.
        newer: what to say of a MATLAB 7.3 file, which SciPy cannot read.
        options: of `loadmat`.

    Raises:
        FormatError: missing, damaged or of MATLAB 7.3.
    """
    from scipy.io import loadmat

    if what := irregular(path):
        raise FormatError(f"{path}: {what}")
    try:
        with path.open("rb") as opened:
            content = opened.read()
        _check_elements(content)
        file: dict[str, Any] = loadmat(BytesIO(content), variable_names=variables, **options)
    except FileNotFoundError as error:
        raise FormatError(f"{path}: does not exist; check the path") from error
    except NotImplementedError as error:
        raise FormatError(f"{path}: is a MATLAB 7.3 file{newer}") from error
    except Exception as error:  # a damaged file can fail anywhere in the reader
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: is not a readable MATLAB file ({reason}); get it again") from error
    return file


def _check_elements(file: bytes) -> None:
    """SciPy takes the kind and size of each element as the file states them, and reads beyond its tables.

    Source: "MAT-File Format", MathWorks, chapter 1: an element is its kind, its size and its bytes, filled up to eight,
    or, of four bytes at most, all in eight; matrices and compressed elements hold further ones.

    Raises:
        ValueError: an unknown kind, an element that ends after what holds it, a sparse or too large matrix.
        zlib.error: a compressed element is damaged.
    """
    byte_order = {b"IM": "<", b"MI": ">"}.get(file[126:128])
    if byte_order is None or 1 not in file[124:126]:  # MATLAB 4 has another layout, 7.3 is HDF5
        return
    tag = Struct(f"{byte_order}II")
    waiting: list[tuple[memoryview, int]] = [(memoryview(file)[128:], 0)]
    while waiting:
        data, depth = waiting.pop()
        if depth:
            _check_matrix(data, byte_order)
        at = 0
        while at + 8 <= len(data):
            kind, size = tag.unpack_from(data, at)
            small = kind >> 16
            held = data[at + 4 : at + 4 + small] if small else data[at + 8 : at + 8 + size]
            if (kind & 0xFFFF if small else kind) not in _KINDS or len(held) < (small or size) or small > 4:
                raise ValueError("an element of it is damaged")
            if kind in (_MATRIX, _COMPRESSED):
                if depth == _DEEPEST:
                    raise ValueError("it is nested too deeply")
                waiting.append((held if kind == _MATRIX else _unpacked(held), depth + 1))
            at += 8 if small else 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)


def _check_matrix(data: memoryview, byte_order: str) -> None:
    """A matrix begins with its class and its size: SciPy makes as many cells as are stated.

    Raises:
        ValueError: it is sparse, or has more cells than bytes.
    """
    if len(data) < 24 or unpack_from(f"{byte_order}II", data) != (6, 8):
        return
    if data[8 if byte_order == "<" else 11] == _SPARSE:
        raise ValueError("it holds a sparse matrix")
    kind, size = unpack_from(f"{byte_order}II", data, 16)
    stated = unpack_from(f"{byte_order}{size // 4}i", data, 24) if kind == 5 and size <= len(data) - 24 else ()
    if abs(prod(stated)) > len(data):
        raise ValueError("a matrix of it is larger than the file")


def _unpacked(held: memoryview) -> memoryview:
    unpacking = decompressobj()
    data = unpacking.decompress(held, _LARGEST)
    if unpacking.unconsumed_tail:
        raise ValueError("it is too large")
    return memoryview(data)
