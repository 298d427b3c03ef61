"""Files at URIs: whatever `pyarrow.fs` opens (s3, gs, abfs, hdfs), or fsspec adds; and what their stores' errors mean.

`located` is the one place that decides whether somebody named a file here or at a URI. A `RemotePath` is a path to all
who take one: it says what it is, can be asked for its size and time, and is opened to be read. Read are the blocks that
are asked for, so a video is entered at a moment without the rest of it. Credentials come from the environment of each
store's own tools and are neither kept nor said.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from samepose.errors import SameposeError, UsageError

_URI = re.compile(r"([a-z][a-z0-9+.-]+)://([^/]*)")
_BLOCK = 4 << 20  # bytes of a request: a photograph whole, some seconds of a video
_BLOCKS = 4  # kept of a file: its index, and where its streams are read
_SECONDS = 10.0  # that a store may take to answer
_CONTENTS = re.compile(r"[0-9a-f]{32}(-[0-9]+)?")  # an ETag that is made from what is in the file, as S3's

# What stores say, and what to do about it. The first two stop all work: no other file would fare better.
_REFUSED = (
    (r"NO_?SUCH_?BUCKET|ContainerNotFound|bucket does not exist",
     "there is no such bucket; make it, or correct its name"),
    (r"Expired_?Token|TokenExpired|token.{0,40}expired|REQUEST_?EXPIRED",
     "the credentials have expired; renew them and do the same again"),
    (r"INVALID_?ACCESS_?KEY|SIGNATURE_?DOES_?NOT_?MATCH|INVALID_?CLIENT_?TOKEN|UNRECOGNIZED_?CLIENT|MISSING_?AUTH"
     r"|INVALID_?SIGNATURE|AuthenticationFailed",
     "the credentials are not accepted; check those of the environment, such as AWS_ACCESS_KEY_ID"),
    (r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocation|MovedPermanently|HTTP status 301|status: 301"
     r"|response code 301|wrong region|BareRedirect",
     "the bucket is in another region; set AWS_REGION to it"),
    (r"no (?:credential )?providers?|credential provider was not enabled|CredentialsNotLoaded|no credentials"
     r"|NoCredentials|could not find default credentials|instance metadata|169\.254\.169\.254",
     "no credentials are found; set them as for the store's own tools, such as AWS_ACCESS_KEY_ID or a profile"),
    (r"curlCode: (?:6|7|28|35)\b|NETWORK_CONNECTION|ConnectError|kind: Connect|dns error|Could not resolve"
     r"|Connection refused|timed out|unreachable",
     "cannot be reached; check the connection, and AWS_ENDPOINT_URL where the store is not Amazon's"),
    (r"SLOW_?DOWN|SERVICE_?UNAVAILABLE|status: 503|HTTP status 503", "the store is too busy; try again later"),
)
_DENIED = r"ACCESS_?DENIED|Forbidden|status: 403|HTTP status 403|PermissionDenied|AuthorizationPermissionMismatch"


def remedy(error: BaseException | str) -> str | None:
    """What a store's refusal of everything means, and what to do about it; None where it is something else."""
    text = str(error)
    found = next((what for pattern, what in _REFUSED if re.search(pattern, text, re.IGNORECASE)), None)
    if found is None and re.search(_DENIED, text, re.IGNORECASE):
        return "access is denied; the credentials of the environment need the permission to do this"
    return found


def is_remote(given: str | os.PathLike[str]) -> bool:
    """Whether it is a URI, not a path of this machine."""
    return isinstance(given, RemotePath) or _URI.match(os.fspath(given)) is not None


def located(given: str | os.PathLike[str], root: Path | None = None) -> Path:
    """The file or folder that somebody named: on this machine, below `root` where the name is relative, or at a URI.

    Raises:
        UsageError: the URI holds a password.
    """
    if isinstance(given, RemotePath):
        return given
    text = os.fspath(given)
    found = _URI.match(text)
    if found and found[1] == "file":
        return Path(text.removeprefix("file://"))
    if not found:
        return Path(given) if root is None else root / given
    if ":" in found[2].rpartition("@")[0]:
        raise UsageError(f"{found[1]}://…{found[2].rpartition('@')[1:][1]}: holds a password; leave it to the "
                         "environment or the configuration of the store's own tools")
    return RemotePath(text)


class RemotePath(type(Path())):  # type: ignore[misc]
    """A file or folder at a URI, to be read only. Made by `located`."""

    def __str__(self) -> str:
        """The URI."""
        scheme, *rest = self.parts
        return f"{scheme}//{'/'.join(rest)}"

    def __fspath__(self) -> str:
        return str(self)

    def as_posix(self) -> str:
        return str(self)

    def as_uri(self) -> str:
        return str(self)

    def resolve(self, strict: bool = False) -> RemotePath:
        return self

    def is_absolute(self) -> bool:
        return True

    def exists(self, **_: Any) -> bool:
        return self._info().type.name in ("File", "Directory")

    def is_file(self, **_: Any) -> bool:
        return self._info().type.name == "File"

    def is_dir(self, **_: Any) -> bool:
        return self._info().type.name == "Directory"

    def stat(self, **_: Any) -> os.stat_result:
        """Size and time of its last change; asked once, or known from the folder's list.

        Raises:
            OSError: it is not there.
        """
        info = self._info()
        if info.type.name == "NotFound":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        mode, time = stat.S_IFDIR if info.type.name == "Directory" else stat.S_IFREG, info.mtime_ns or 0
        whole = (mode | 0o444, 0, 0, 1, 0, 0, info.size or 0, time // 10**9, time // 10**9, time // 10**9)
        return os.stat_result(whole, {"st_mtime_ns": time})

    def open(self, mode: str = "rb", buffering: int = -1, encoding: str | None = "utf-8", *_: Any, **__: Any) -> Any:
        """A stream that can be sought in.

        Raises:
            OSError: it is not there, or does not answer now.
            SameposeError: the store refuses everything.
        """
        if mode not in ("r", "rb"):
            raise OSError(errno.EROFS, "files at URIs are only read", str(self))
        raw = _Blocks(self, self._opened())
        return io.BufferedReader(raw, 1 << 16) if mode == "rb" else io.TextIOWrapper(io.BufferedReader(raw), encoding)

    def read_bytes(self) -> bytes:
        with self.open() as stream:
            contents: bytes = stream.read()
        return contents

    def iterdir(self) -> Iterator[RemotePath]:
        """The files and folders in this folder, in order.

        Raises:
            OSError: it is not there, or does not answer now.
        """
        return map(self._below, self._inside(self._key))

    def listed(self) -> Iterator[RemotePath]:
        """Every file below this folder that is not hidden, in order; a request for each folder of a thousand files."""
        waiting = [iter(self._inside(self._key))]
        while waiting:
            info = next(waiting[-1], None)
            if info is None:
                waiting.pop()
            elif info.type.name == "Directory":
                if not _left_out(info.base_name):
                    waiting.append(iter(self._inside(info.path)))
            elif not info.base_name.startswith("."):
                yield self._below(info)

    def everything(self) -> Iterator[tuple[str, RemotePath]]:
        """Every file below this folder with its way from here, in no order; a request for a thousand files."""
        import pyarrow.fs as pf

        with _speaking_of(self):
            found = self._store.get_file_info(pf.FileSelector(self._key, recursive=True))
        for info in found:
            if info.type.name == "File":
                file = self._below(info)
                yield str(file).removeprefix(f"{self}/"), file

    @cached_property
    def digest(self) -> str:
        """As a hash of the contents, without reading them: of the store's ETag and the size; where the ETag is not made
        from the contents, or there is none, of the URI and the time as well. Hexadecimal."""
        with _speaking_of(self), self._opened() as file:
            tag = (file.metadata() or {}).get("ETag", b"").decode().strip('"').removeprefix("W/").lower()
            size = file.size()
        own = () if _CONTENTS.fullmatch(tag) else (str(self), "" if tag else str(self.stat().st_mtime_ns))
        return hashlib.sha256("\0".join((tag, str(size), *own)).encode()).hexdigest()

    def _inside(self, folder: str) -> list[Any]:
        """What the store says of a folder's files and folders, in order."""
        import pyarrow.fs as pf

        with _speaking_of(self):
            found: list[Any] = self._store.get_file_info(pf.FileSelector(folder))
        return sorted(found, key=lambda info: info.path)

    def _below(self, info: Any) -> RemotePath:
        file = RemotePath(f"{self}/{info.path.removeprefix(self._key).lstrip('/')}")
        file._known = info
        return file

    def _opened(self) -> Any:
        with _speaking_of(self):
            return self._store.open_input_file(self._key)

    @property
    def _store(self) -> Any:
        return _store_of(self.parts[0].rstrip(":"), self.parts[1] if len(self.parts) > 1 else "")[0]

    @property
    def _key(self) -> str:
        base = _store_of(self.parts[0].rstrip(":"), self.parts[1] if len(self.parts) > 1 else "")[1]
        return "/".join([base.rstrip("/"), *self.parts[2:]] if base else self.parts[2:])

    def _info(self) -> Any:
        known = getattr(self, "_known", None)
        if known is None:
            try:
                with _speaking_of(self):
                    known = self._known = self._store.get_file_info(self._key)
            finally:
                if known is None or known.type.name == "NotFound":
                    self._explain()
        return known

    def _explain(self) -> None:
        """Raise what is wrong with the place, if it is that: only the answer to a question for a list gives reasons."""
        import pyarrow.fs as pf

        with suppress(OSError), _speaking_of(self):
            self._store.get_file_info(pf.FileSelector(self._key))


class _Blocks(io.RawIOBase):
    """Reads a remote file in aligned blocks and keeps the last few: decoders go to and fro."""

    def __init__(self, path: RemotePath, file: Any) -> None:
        self._path, self._file, self._at = path, file, 0
        self._size: int = file.size()
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence], 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        number, start = divmod(self._at, _BLOCK)
        part = self._block(number)[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _block(self, number: int) -> bytes:
        if number not in self._kept:
            with _speaking_of(self._path):
                wanted = min(_BLOCK, self._size - number * _BLOCK)
                block: bytes = self._file.read_at(wanted, number * _BLOCK)
            if len(block) < wanted:
                raise OSError(errno.EIO, "it broke off while it was read", str(self._path))
            self._kept[number] = block
            while len(self._kept) > _BLOCKS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]


class _speaking_of:
    """Errors of a store as an OSError that names the file, or as one that stops all, with the remedy."""

    def __init__(self, path: RemotePath) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, SameposeError):
            return
        if isinstance(error, OSError) and error.filename == str(self._path):  # said within
            return
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path)) from error
        text = str(error)
        if re.search(_DENIED, text, re.IGNORECASE) and self._path.suffix:  # of one file
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._path)) from error
        if what := remedy(text):
            raise SameposeError(f"{self._path}: {what}") from error
        number = getattr(error, "errno", None) or errno.EIO
        raise OSError(number, " ".join(text.split())[:200], str(self._path)) from error


@lru_cache(64)
def _store_of(scheme: str, place: str) -> tuple[Any, str]:
    """What opens files there, and how their names begin.

    Raises:
        UsageError: nothing that is installed does.
    """
    import pyarrow as pa
    import pyarrow.fs as pf

    if scheme in ("s3", "s3a"):
        return _s3(), place
    patient = "?retry_limit_seconds=10" if scheme in ("gs", "gcs") else ""
    try:
        store, base = pf.FileSystem.from_uri(f"{scheme}://{place}/{patient}")
        return store, base
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ImportError, OSError) as error:
        first = error
    try:
        import fsspec

        store, base = fsspec.core.url_to_fs(f"{scheme}://{place}")
        return pf.PyFileSystem(pf.FSSpecHandler(store)), base
    except (ImportError, ValueError, OSError) as error:
        why = " ".join(str(error if isinstance(first, pa.ArrowInvalid) else first).split())[:150]
        raise UsageError(f"{scheme}://{place}: cannot be opened ({why}); install what opens {scheme}, such as a "
                         "package for fsspec, or copy the files here") from error


def _s3() -> Any:
    import pyarrow.fs as pf

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return pf.S3FileSystem(region=region, endpoint_override=endpoint, connect_timeout=_SECONDS, request_timeout=60,
                           retry_strategy=pf.AwsStandardS3RetryStrategy(max_attempts=4))


def _left_out(folder: str) -> bool:
    """Hidden, or a table of an index."""
    return folder.startswith(".") or folder.endswith(".lance")
