"""A tar archive walked forward once, in memory that does not depend on what it claims to hold.

The standard tarfile module reads extended headers of any claimed size into memory and may seek
backwards, which in a gzip stream means decompressing from the start again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from twolayer_ext.errors import FileFormatError
from twolayer_ext.files.reading import fill

_BLOCK = 512
_REGULAR = (b"0", b"\0")  # type flags of a plain file


@dataclass
class Member:
    """A regular file in the archive, readable until the walk goes on.

    Attributes
    ----------
    name : str
        Path inside the archive, as stored.
    size : int
        Size in bytes.
    """

    name: str
    size: int
    _stream: BinaryIO
    _source: str
    _unread: int

    def read_into(self, target: memoryview) -> None:
        """Fill `target` (bytes, no longer than what is left of the member) from the archive."""
        if fill(self._stream, target) != len(target):
            raise FileFormatError(f"{self._source}: ends in the middle of {self.name}; truncated")
        self._unread -= len(target)


def regular_members(stream: BinaryIO, source: str, *, max_bytes: int) -> Iterator[Member]:
    """Yield each regular file of an uncompressed tar stream, then read the stream to its end.

    Reading to the end lets gzip compare its checksum. Long-name extensions are passed over: a
    member that needs them appears under its shortened name.

    Parameters
    ----------
    stream : binary file
        At the start of the archive.
    source : str
        What to call the archive in errors.
    max_bytes : int
        The most the archive may hold in all, so that a small file cannot expand without end.

    Raises
    ------
    FileFormatError
        If a header is damaged, or the archive is truncated or larger than `max_bytes`.
    """
    scratch = memoryview(bytearray(1 << 16))
    left = max_bytes
    while True:
        header = bytearray(_BLOCK)
        if fill(stream, memoryview(header)) != _BLOCK:
            raise FileFormatError(f"{source}: the archive has no end mark; truncated")
        if not any(header):
            break
        member = _parse_header(header, stream, source)
        left -= _BLOCK + member.size
        if left < 0:
            raise FileFormatError(
                f"{source}: holds more than {max_bytes} bytes; not such an archive"
            )
        padding = -member.size % _BLOCK
        if header[156:157] in _REGULAR:
            yield member
        member._unread += padding
        while member._unread:
            member.read_into(scratch[: min(len(scratch), member._unread)])
    while (count := fill(stream, scratch)) > 0:
        left -= count
        if left < 0:
            raise FileFormatError(f"{source}: goes on long after its end mark")


def _parse_header(header: bytearray, stream: BinaryIO, source: str) -> Member:
    """Read name and size (POSIX ustar: name 0:100, size 124:136, checksum 148:156)."""
    plain = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if _octal(header[148:156]) != plain:
        raise FileFormatError(f"{source}: is not a tar archive, or is damaged")
    size = _octal(header[124:136])
    if size is None:
        raise FileFormatError(f"{source}: a member has no readable size")
    name = bytes(header[:100]).split(b"\0", 1)[0].decode("utf-8", "replace")
    return Member(name, size, stream, source, size)


def _octal(field: bytearray) -> int | None:
    digits = bytes(field).strip(b" \0")
    return int(digits, 8) if digits and not digits.strip(b"01234567") else None
