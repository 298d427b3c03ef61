"""Reading `.npz` files that may be damaged or made to do harm: plain arrays only, and never more than fits memory."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.media import irregular, one_line

LARGEST = 2**30  # bytes that a file's arrays may have unpacked: three million poses of 17 joints in 2D


def read_npz(path: Path | str, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, by name.

    Args:
        wanted: names of the arrays to read, those of them that are there; None: all.

    Raises:
        FormatError: missing, no regular file, no `.npz`, damaged, too large, or with arrays of objects (pickles).
    """
    path = Path(path)
    if what := irregular(path):
        raise FormatError(f"{path}: {what}")
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("ignore")  # NumPy's, of old kinds of header: what is wrong raises
            names = [m.filename.removesuffix(".npy") for m in archive.infolist() if m.filename.endswith(".npy")]
            names = list(dict.fromkeys(n for n in names if wanted is None or n in wanted))
            check_unpacked(path, archive, names, LARGEST)
            return {name: _array(archive, name) for name in names}
    except FileNotFoundError as error:
        raise FormatError(f"{path}: does not exist; check the path") from error
    except PermissionError as error:
        raise FormatError(f"{path}: reading it is not permitted; change its permissions") from error
    # A damaged zip or header raises almost any kind: struct.error, NotImplementedError, tokenize.TokenError, …
    except Exception as error:
        if isinstance(error, FormatError):
            raise
        damaged = isinstance(error, (zipfile.BadZipFile, zlib.error, EOFError))
        reason = one_line(error) if damaged or isinstance(error, (OSError, _NotPlain)) else "its arrays are damaged"
        raise FormatError(f"{path}: not a readable .npz ({reason}); save it again as plain arrays") from error


def check_unpacked(path: Path, archive: zipfile.ZipFile, names: Collection[str], largest: int) -> None:
    """Before anything is unpacked; what an archive says of its sizes is also all that is ever read of it.

    Raises:
        FormatError: the arrays named would be larger than `largest` bytes.
    """
    size = sum(member.file_size for member in archive.infolist() if member.filename.removesuffix(".npy") in names)
    if size > largest:
        raise FormatError(f"{path}: its arrays would take {size / 2**30:,.1f} GB unpacked, more than the "
                          f"{largest / 2**30:g} GB that are read at most; save fewer poses to a file")


class _NotPlain(ValueError):
    """An array that only a pickle can hold, or one larger than its bytes."""


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    member = archive.getinfo(f"{name}.npy")
    opened: Any = archive.open(member)
    with opened as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise _NotPlain(f"{name} is a pickle, which is not read")
        if dtype.itemsize * math.prod(shape) != member.file_size - file.tell():
            raise _NotPlain(f"{name} is cut short")
        raw = np.empty(dtype.itemsize * math.prod(shape), np.uint8)  # not more than there is: see `check_unpacked`
        if file.readinto(raw) != len(raw):
            raise _NotPlain(f"{name} is cut short")
    values = raw.view(dtype) if len(raw) else np.empty(math.prod(shape), dtype)
    return values.reshape(shape, order="F" if fortran else "C")
