"""A file opened for reading: unpacked on the way where gzip or Zstandard packed it, which its first bytes tell."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Protocol, cast

from ensemble_instruct.errors import InputFileError, UsageError

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = (bytes(range(0x50, 0x60)), b"\x2a\x4d\x18")
"""What a frame begins with that Zstandard's readers skip: pzstd writes such a frame before its others."""
_PACKED = 2**12
"""Packed bytes that are taken at a time: a few of them may become many."""
_BUFFER = 2**16
"""Unpacked bytes that wait for the reader."""
_START = 2**16
"""Bytes within which a file shows what it is."""
_LARGEST_WINDOW = 2**31
"""Bytes that a frame of Zstandard may look back, as with its option `--long=31`."""
PACKED_SUFFIXES = (".gz", ".zst")
"""What the name of a packed file ends in."""
_BOM = b"\xef\xbb\xbf"
"""A byte order mark, as some editors write it before UTF-8."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file as they are; what is no regular file (a pipe) is copied first, so that all can be read twice.

    Raises `InputFileError` when it cannot be read.
    """
    try:
        source = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with source:
        if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            yield source
            return
        with tempfile.TemporaryFile() as copy:
            try:
                shutil.copyfileobj(source, copy)
            except OSError as error:
                raise unreadable(path, error) from error
            yield copy


def unreadable(path: Path, error: OSError) -> InputFileError:
    """What to say of a file that cannot be read."""
    return InputFileError(f"{path}: cannot be read: {error.strerror or error}; check the path")


def unpacked(path: Path, file: IO[bytes]) -> IO[bytes]:
    """The content of an open file, from its start; a stream that does not know `seek` where it is packed.

    The stream raises `InputFileError`, which names the line, where what is packed is damaged or not whole. Raises
    `UsageError` for Zstandard where the extra `zstd` is not installed.
    """
    file.seek(0)
    magic = file.read(len(_ZSTD))
    file.seek(0)
    if magic.startswith(_GZIP):
        return _stream(path, gzip.GzipFile(fileobj=file), gzip.BadGzipFile)
    if magic == _ZSTD or (magic[:1] in _SKIPPABLE[0] and magic[1:] == _SKIPPABLE[1]):
        zstandard = _zstandard(path)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        return _stream(path, _ZstdFrames(file, decompressor.decompressobj), zstandard.ZstdError)
    return file


def is_packed(path: Path) -> bool:
    """Whether a file is packed in a way that is read here; raises `InputFileError` when it cannot be read."""
    with opened(path) as file:
        return unpacked(path, file) is not file


def start_of(path: Path, file: IO[bytes]) -> bytes:
    """The beginning of the content of an open file, without a byte order mark and white space."""
    return unpacked(path, file).read(_START).removeprefix(_BOM).lstrip()


def unpacked_name(path: Path) -> str:
    """The name of a file as it would be without what says how it is packed."""
    return path.stem if path.suffix.lower() in PACKED_SUFFIXES else path.name


def require_packing(path: Path) -> None:
    """Raise `UsageError` where the name of a file to be written asks for what is not installed."""
    if path.suffix.lower() == ".zst":
        _zstandard(path)


@contextmanager
def packing(path: Path, file: IO[bytes]) -> Iterator[IO[bytes]]:
    """What packs all that is written into it as the name of a file says; `file` itself where it says nothing.

    The bytes are the same each time. Raises `UsageError` for Zstandard where the extra `zstd` is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packer:
            yield cast("IO[bytes]", packer)
    elif suffix == ".zst":
        with _zstandard(path).ZstdCompressor().stream_writer(file, closefd=False) as packer:
            yield packer
    else:
        yield file


def _zstandard(path: Path) -> Any:
    if find_spec("zstandard") is None:
        raise UsageError(
            f"{path}: Zstandard needs zstandard; pip install 'ensemble-instruct[zstd]', or unpack the file with unzstd"
        )
    import zstandard

    return zstandard


class _Source(Protocol):
    def read1(self, size: int, /) -> bytes:
        """Some of what is unpacked, at most `size` bytes; nothing at the end."""


def _stream(path: Path, source: _Source, damage: type[Exception]) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(_Unpacked(path, source, (damage, EOFError, zlib.error)), _BUFFER))


class _Unpacked(io.RawIOBase):
    """What a packed file holds, as a raw stream that knows in which line it is."""

    def __init__(self, path: Path, source: _Source, damage: tuple[type[Exception], ...]) -> None:
        self._path, self._source, self._damage = path, source, damage
        self._line = 1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            read = self._source.read1(len(buffer))
        except self._damage as error:
            problem = f"from here on it is damaged or not whole ({error}); copy it or pack it again"
            raise InputFileError(f"{self._path}:{self._line}: {problem}") from error
        self._line += read.count(b"\n")
        buffer[: len(read)] = read
        return len(read)


class _ZstdFrames:
    """The frames of a file of Zstandard, one after the other."""

    def __init__(self, file: IO[bytes], new_frame: Callable[[], Any]) -> None:
        self._file, self._new_frame = file, new_frame
        self._frame: Any = None
        self._packed = b""
        self._waiting = memoryview(b"")

    def read1(self, size: int, /) -> bytes:
        """Some of what is unpacked; raises `EOFError` where the file ends within a frame."""
        while not self._waiting:
            packed = self._packed or self._file.read(_PACKED)
            if not packed:
                if self._frame is not None:
                    raise EOFError("it ends within a frame")
                return b""
            self._frame = self._frame or self._new_frame()
            self._waiting = memoryview(self._frame.decompress(packed))
            self._packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = None
        given, self._waiting = self._waiting[:size], self._waiting[size:]
        return bytes(given)
