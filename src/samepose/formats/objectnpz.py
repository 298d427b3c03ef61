"""Read the pickled arrays inside a public `.npz` without running any of its code.

VideoPose3D's files hold dictionaries of arrays, which NumPy can only store as pickle, and NumPy's own reader then calls
whatever the pickle names. Here the few names such a file needs stand for classes of ours that only collect arguments;
every other name is refused, and NumPy's own unpickling code never runs.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import tokenize
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.formats.npz import check_unpacked
from samepose.media import irregular

_LARGEST = 2**32  # bytes of an array unpacked: all of Human3.6M in 2D takes half a GB
_KINDS = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", "O8"})


class _Refused(Exception):
    """The pickle asks for something that a table of arrays does not need."""


class _Inert:
    """Pickle may set the state of all that it names; ours ignores it unless a class says otherwise."""

    def __setstate__(self, state: Any) -> None:
        raise _Refused("state for something that has none")


class _Dtype(_Inert):
    """`numpy.dtype(kind, align, copy)` and its byte order."""

    def __init__(self, kind: Any, *_: Any) -> None:
        if isinstance(kind, bytes):
            kind = kind.decode("latin1")
        if kind not in _KINDS:
            raise _Refused(f"an array of {kind!r}")
        self.kind, self.order = str(kind), "|"

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
            raise _Refused("an unknown byte order")
        if state[2:5] != (None, None, None):
            raise _Refused("a structured array")
        self.order = state[1]

    def array(self, raw: Any, shape: tuple[int, ...], fortran: bool) -> Any:
        if self.kind == "O8":
            # A zero-dimensional object array is NumPy's wrapping of a single object.
            return raw[0] if shape == () else list(raw)
        values = np.frombuffer(_bytes(raw), np.dtype(self.order + self.kind))
        return values.reshape(shape, order="F" if fortran else "C").astype(self.kind)


class _Array(_Inert):
    """`numpy.ndarray`, empty until its state arrives."""

    def __init__(self, *_: Any) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        self.value = (dtype, shape, bool(fortran), raw)

    def filled(self) -> Any:
        if self.value is None:
            raise _Refused("an array without values")
        dtype, shape, fortran, raw = self.value
        return dtype.array(raw, shape, fortran)


class _Buffer(_Array):
    """`numpy._core.numeric._frombuffer(raw, dtype, shape, order)`, an array in pickle protocol 5."""

    def __init__(self, raw: Any, dtype: Any, shape: Any, order: Any) -> None:
        self.value = (dtype, shape, order == "F", raw)


class _Scalar(_Array):
    """`numpy.scalar(dtype, raw)`."""

    def __init__(self, dtype: Any, raw: Any) -> None:
        self.value = (dtype, (), False, raw)


class _Latin1(_Inert):
    """Bytes, as pickle protocol 2 spells them: `_codecs.encode(text, "latin1")`, or `bytes()` when empty."""

    def __init__(self, text: Any = "", encoding: Any = "latin1") -> None:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise _Refused("an encoding other than latin1")
        self.raw = text.encode("latin1")


_ALLOWED: dict[tuple[str, str], type[_Inert]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Latin1,
    ("__builtin__", "bytes"): _Latin1,
    ("builtins", "bytes"): _Latin1,
    **{(f"numpy.{core}.multiarray", name): made for core in ("core", "_core")
       for name, made in (("_reconstruct", _Array), ("scalar", _Scalar))},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Buffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError as error:
            raise _Refused(ascii(f"{module}.{name}")) from error

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("a reference to something outside the file")


def has_array(path: Path, key: str) -> bool:
    """Whether a file is an `.npz` that holds an array of this name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{key}.npy" in archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False  # names that are no text, or a kind of archive that is not known


def read_object(path: Path, key: str) -> Any:
    """The dict, list, text, number or array stored under `key`.

    Returns:
        dicts, lists, tuples, str, bytes, numbers, and numeric arrays in the machine's byte order.

    Raises:
        FormatError: no such file or key, cut short, or a pickle that names anything but plain arrays.
    """
    try:
        if what := irregular(path):
            raise FormatError(f"{path}: {what}")
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            check_unpacked(path, archive, [key], _LARGEST)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            if dtype.hasobject:
                content = file.read()
                _check_memo(content)
                return _plain(_Unpickler(io.BytesIO(content), encoding="latin1").load(), {})
            return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C")
    except FileNotFoundError as error:
        raise FormatError(f"{path}: does not exist; check the path") from error
    except _Refused as error:
        raise FormatError(f"{path}: {key} holds {error}, which a table of poses has no use for; it was not run: "
                          "get the file from its source again") from error
    except KeyError as error:
        raise FormatError(f"{path}: has no array {key!r}; give the file as VideoPose3D writes it") from error
    # A damaged pickle can fail anywhere in the unpickler: its documentation lists these and "others".
    except (OSError, zipfile.BadZipFile, pickle.UnpicklingError, ValueError, TypeError, EOFError, AttributeError,
            IndexError, ImportError, NotImplementedError, tokenize.TokenError, MemoryError, RecursionError,
            OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: {key} cannot be read ({reason}); get the file from its source again") from error


_ASCII = bytes(byte if byte < 128 and byte != ord("\\") else ord("?") for byte in range(256))


def _check_memo(content: bytes) -> None:
    """What a pickle numbers it numbers one after the other; unpickling makes room up to the highest number.

    Raises:
        ValueError: it is damaged, or a number is higher than there are things to number.
    """
    try:
        _check_numbers(content)
    except UnicodeDecodeError:  # Python 2's text protocol: such bytes, or \\x80 for them, are in strings alone
        _check_numbers(content.translate(_ASCII))


def _check_numbers(content: bytes) -> None:
    for count, (operation, value, _) in enumerate(pickletools.genops(content)):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(value or 0) > count:
            raise ValueError("it numbers what it does not hold")


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Containers and values, with our stand-ins replaced by the arrays they collected.

    `done` holds what was converted, by identity: a few nested lists that share their items could stand for billions.
    """
    if id(value) not in done:
        done[id(value)] = _converted(value, done)
    return done[id(value)]


def _converted(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, _Array):
        value = value.filled()
        return value if isinstance(value, np.ndarray) else _converted(value, done)
    if isinstance(value, _Latin1):
        return value.raw
    if isinstance(value, dict):
        return {_plain(k, done): _plain(v, done) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(v, done) for v in value)
    if value is None or isinstance(value, (str, bytes, int, float)):
        return value
    raise _Refused(f"a {type(value).__name__}")


def _bytes(raw: Any) -> bytes:
    if isinstance(raw, _Latin1):
        return raw.raw
    if isinstance(raw, str):  # written by Python 2
        return raw.encode("latin1")
    return bytes(raw)
