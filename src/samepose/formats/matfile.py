"""MATLAB files that may be damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import error as ZlibError

from samepose.errors import FormatError


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
    from scipy.io.matlab import MatReadError

    try:
        with path.open("rb") as opened:
            file: dict[str, Any] = loadmat(opened, variable_names=variables, **options)
    except FileNotFoundError as error:
        raise FormatError(f"{path}: does not exist; check the path") from error
    except NotImplementedError as error:
        raise FormatError(f"{path}: is a MATLAB 7.3 file{newer}") from error
    # A damaged file can fail anywhere in the reader.
    except (MatReadError, OSError, ValueError, TypeError, KeyError, IndexError, MemoryError, EOFError, OverflowError,
            ZlibError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: is not a readable MATLAB file ({reason}); get it again") from error
    return file
