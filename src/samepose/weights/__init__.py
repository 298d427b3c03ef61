"""The networks that samepose ships, and every ONNX file that it opens: found, checked and opened here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from samepose.errors import FormatError, SameposeError, UsageError

FOLDER = Path(__file__).parent
WEIGHTS = {  # sha256 of what this version ships; indexes remember models by it
    "movenet-multipose": "53c11b75b4f799de3ee486d7622513be855271e5155a2139a6f62917224b42ac",
    "movenet-thunder": "204f87e45eba56db0c11ad8ff8efb281198f30778cad31e943e9fb138baf600a",
    "prvipe": "40d05ee3ae111f2d9e18f54b32db0f797403152fef8e09de167269f4cda788ec",
    "pairs": "36f05f13e82d0227d8249632021d5e6f8b12bcd2bc9fac57dc91db584e20524a",
    "image": "82bbf998b19f50fa7de912b1e0a8f3b01faaa76e9379a1e077d6edf754d642af",
    "cpm": "7543e7f48771ae2e0672e26b69ef6fd09df2576ae79cb4369b7fd53b52c16595",
    "cpm-synthetic": "ccd3caea1ede2a3c1d24181cd9e3804017ced6c6cbe68a2c0871d343c315b2c2",
    "lifting": "611488a74fe08390d8a60c317a77870801c2579fbb5a4afb84c9f877108f4151",
    "structnet": "4e68e80e69594e6ed5c53cca9d6eab43218503661be96be24d9ae803eb5d9fc1",
}


def weight_file(name: str) -> Path:
    """Where a shipped network lies: one of WEIGHTS. Nothing is read."""
    if name not in WEIGHTS:
        raise UsageError(f"no weights are named {name!r}; there are {', '.join(WEIGHTS)}")
    return FOLDER / f"{name}.onnx"


def read_weights(path: Path, what: str = "network") -> bytes:
    """An ONNX file's bytes; those of a shipped one are what this version was released with.

    Args:
        what: kind of network that was asked for, for the error.

    Raises:
        SameposeError: a shipped file is missing, damaged or replaced.
        FormatError: another file cannot be read.
    """
    expected = WEIGHTS.get(path.stem) if path == FOLDER / f"{path.stem}.onnx" else None
    try:
        data = path.read_bytes()
    except OSError as error:
        if expected:
            raise SameposeError(f"{path}: the weights cannot be read ({error.strerror}); reinstall samepose") from error
        raise FormatError(f"{path}: cannot be read ({error.strerror}); give a {what} that samepose exported (.onnx)"
                          ) from error
    digest = hashlib.sha256(data).hexdigest()
    if expected and digest != expected:
        raise SameposeError(f"{path}: the weights are damaged or were replaced (sha256 {digest[:8]}…, expected "
                            f"{expected[:8]}…); reinstall samepose")
    return data


def cores() -> int:
    """That this process may run on; a container's share where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


Device = Literal["cpu", "cuda", "auto"]
DEVICE = "SAMEPOSE_DEVICE"  # the environment's word for where networks run


def providers(device: str) -> list[str]:
    """What runs a network, as onnxruntime calls it: the one place that decides.

    Args:
        device: "cpu"; "cuda", an NVIDIA GPU; or "auto": that if onnxruntime has been built for it, else the CPU.

    Raises:
        UsageError: there is no such device, or none here.
    """
    import onnxruntime

    if device not in get_args(Device):
        raise UsageError(f"`device` is {device!r}; expected {', '.join(get_args(Device))}")
    there = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not there:
        raise UsageError("`device=cuda`: the onnxruntime that is installed was built without CUDA; pip uninstall "
                         "onnxruntime, then pip install onnxruntime-gpu; or use the CPU: `device=cpu`")
    return [*(["CUDAExecutionProvider"] if there and device != "cpu" else []), "CPUExecutionProvider"]


class _Opened(NamedTuple):
    session: Any
    sha256: str


class Network:
    """An ONNX file, read and opened when it is first used, once, whatever thread comes first.

    Args:
        path: of a shipped file (`weight_file`) or another.
        threads: that work on one call; None: as many as onnxruntime thinks best.
        what: kind of network that is expected, for the errors.
        tapped: makes of the file's bytes those that are opened, such as `inner.with_output`.
        device: see `providers`; by default what SAMEPOSE_DEVICE says, else the CPU.
    """

    def __init__(
        self, path: Path, threads: int | None = None, what: str = "network",
        tapped: Callable[[bytes], bytes] = bytes, device: str | None = None,
    ) -> None:
        self._device = device or os.environ.get(DEVICE) or "cpu"
        self.path, self._threads, self._what, self._tapped = path, threads, what, tapped
        self._lock = Lock()
        self._found: _Opened | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the file itself."""
        return type(self), (self.path, self._threads, self._what, self._tapped, self._device)

    @property
    def session(self) -> Any:
        """onnxruntime's InferenceSession."""
        return self._open().session

    @property
    def sha256(self) -> str:
        """Of the file."""
        return self._open().sha256

    @cached_property
    def facts(self) -> dict[str, str]:
        """Metadata that the file carries.

        Raises:
            FormatError: they are no text.
        """
        try:
            return dict(self.session.get_modelmeta().custom_metadata_map)
        except ValueError as error:
            raise self.unexpected from error

    @property
    def unexpected(self) -> FormatError:
        """To raise where the facts are not those of the expected kind."""
        return FormatError(f"{self.path}: not a {self._what} exported by samepose")

    def run(self, outputs: list[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Named outputs, or all of them; may be called from several threads at once.

        Raises:
            FormatError: the file's network does not take these inputs, or has no such outputs.
        """
        session = self.session
        try:
            found: list[np.ndarray] = session.run(outputs, inputs)
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise self.unexpected from error
        return found

    def _open(self) -> _Opened:
        with self._lock:
            if self._found is None:
                self._found = self._read()
            return self._found

    def _read(self) -> _Opened:
        import onnxruntime

        data, chosen = read_weights(self.path, self._what), providers(self._device)
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads, options.log_severity_level = 1, 4  # errors are raised, not printed
        if self._threads:
            options.intra_op_num_threads = min(self._threads, 4 * cores())
        try:
            session = onnxruntime.InferenceSession(self._tapped(data), options, providers=chosen, enable_fallback=0)
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise self.unexpected from error
        if self._device == "cuda" and session.get_providers()[0] != chosen[0]:
            raise SameposeError("`device=cuda`: onnxruntime cannot reach a GPU here; check the driver, CUDA and cuDNN, "
                                "or use the CPU: `device=cpu`")
        return _Opened(session, hashlib.sha256(data).hexdigest())
