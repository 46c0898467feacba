"""One file over HTTP: resumed where it was cut, compared with its checksum, whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import IO, Any

from twolayer_ext.datasets.download_progress import Bar, show_progress
from twolayer_ext.errors import DownloadError

if sys.platform != "win32":
    import fcntl

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4
RETRY_WAIT_SECONDS = 1.0
_CHUNK = 1 << 18


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    size: int,
    progress: bool | None = None,
) -> None:
    """Make sure that `target` is the file with the given size and SHA-256; download it if not.

    What arrives goes to ``NAME.part`` beside the target and takes its name only when the checksum
    is right. A connection that is cut is taken up again, up to `ATTEMPTS` times in all, and by the
    next call after that; a server that cannot resume, or whose file has changed since, sends it
    whole. Processes that want the same file wait for one another (not on Windows, where two at
    once may each fail on the checksum).

    Parameters
    ----------
    url : str
        An http or https address.
    target : Path
        Where the file belongs; folders are made as needed.
    sha256 : str
        Its SHA-256 in hexadecimal digits.
    size : int
        Its size in bytes; no more than that is ever written.
    progress : bool, optional
        Show progress on stderr; default: if it is a terminal.

    Raises
    ------
    DownloadError
        If the file cannot be had; the message says why and what to do by hand.
    ValueError
        If `url` is neither http nor https.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"url: {url!r}; it should begin with http:// or https://")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(target.name + ".lock")):
        if _is_right(target, sha256, size):
            return
        transfer = _Transfer(url, target, size)
        with show_progress(target.name, size, progress) as bar:
            resumed = transfer.received() > 0
            transfer.run(bar)
            if resumed and not _is_right(transfer.part, sha256, size):
                # What an earlier call left may be what is wrong.
                transfer.forget()
                transfer.run(bar)
        if not _is_right(transfer.part, sha256, size):
            transfer.forget()
            raise transfer.error(f"what arrived does not have the SHA-256 {sha256}")
        transfer.part.replace(target)
        transfer.forget()


class _InterruptedError(Exception):
    """An attempt failed in a way that another one may not."""


class _Transfer:
    """The unfinished file, and what the server said of it."""

    def __init__(self, url: str, target: Path, size: int) -> None:
        self.url = url
        self.target = target
        self.size = size
        self.part = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")
        self.opener = urllib.request.build_opener(_HttpRedirects)

    def error(self, reason: object) -> DownloadError:
        return DownloadError(
            f"{self.url}: {reason}; try again, or download the file by hand and save it as "
            f"{self.target}"
        )

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def run(self, bar: Bar) -> None:
        """Bring the part to its full size."""
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(RETRY_WAIT_SECONDS)
            try:
                self.go_on(bar)
            except _InterruptedError as error:
                reason = str(error)
            if self.received() == self.size:
                return
        raise self.error(reason)

    def received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def go_on(self, bar: Bar) -> None:
        """Ask for what is missing and append it, as far as it comes."""
        start, validator = self.received(), self.validator()
        if start == self.size:
            return
        headers = {"Accept-Encoding": "identity", "User-Agent": "twolayer-ext"}
        if 0 < start < self.size and validator:
            # If-Range makes the server send the whole file when it is not the same any more.
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        request = urllib.request.Request(self.url, headers=headers)
        with self.open(request) as response:
            if response.status != http.client.PARTIAL_CONTENT:
                start = 0
            self.check_announcement(response, start)
            self.note.write_text(json.dumps({"url": self.url, "validator": _validator(response)}))
            with self.part.open("ab" if start else "wb") as file:
                bar.set(start)
                self.copy(response, file, self.size - start, bar)

    def open(self, request: urllib.request.Request) -> Any:
        try:
            return self.opener.open(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            answer = f"the server answers {error.code} {error.reason}"
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.forget()
            elif error.code < 500:
                raise self.error(answer) from error
            raise _InterruptedError(answer) from error
        except urllib.error.URLError as error:
            raise _InterruptedError(str(error.reason)) from error
        except (http.client.HTTPException, OSError) as error:
            raise _InterruptedError(str(error) or type(error).__name__) from error

    def check_announcement(self, response: Any, start: int) -> None:
        """Compare what the headers announce with what is needed, before anything is written."""
        if start:
            answer = re.match(r"bytes (\d+)-", response.headers["Content-Range"] or "")
            if not answer or int(answer[1]) != start:
                self.forget()
                raise _InterruptedError("the server sent another part than it was asked for")
        length: str = response.headers["Content-Length"] or ""
        if length.isdecimal() and int(length) != self.size - start:
            raise self.error(f"the server's file has {int(length) + start} bytes, not {self.size}")

    def copy(self, response: Any, file: IO[bytes], missing: int, bar: Bar) -> None:
        while missing:
            try:
                chunk = response.read(min(_CHUNK, missing))
            except (http.client.HTTPException, OSError) as error:
                raise _InterruptedError(str(error) or type(error).__name__) from error
            if not chunk:
                raise _InterruptedError(f"the connection was cut {missing} bytes before the end")
            file.write(chunk)
            missing -= len(chunk)
            bar.add(len(chunk))

    def validator(self) -> str | None:
        """Return what names the version the part is from, if it is from this very address."""
        try:
            note = json.loads(self.note.read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(note, dict) or note.get("url") != self.url:
            return None
        validator = note.get("validator")
        # It becomes a header: printable ASCII, or it is not what was written here.
        usable = isinstance(validator, str) and validator.isascii() and validator.isprintable()
        return validator if usable else None


class _HttpRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and never from https back to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme != "https" and (scheme != "http" or req.type == "https"):
            raise urllib.error.URLError(f"the server redirects to {newurl}, which is refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _validator(response: Any) -> str | None:
    """Strong ETag, else date of the last change: what If-Range accepts (RFC 9110, 13.1.5)."""
    headers: Message = response.headers
    etag: str | None = headers["ETag"]
    return etag if etag and not etag.startswith("W/") else headers["Last-Modified"]


def _is_right(path: Path, sha256: str, size: int) -> bool:
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; the system lets go of it even if the process is killed."""
    with path.open("ab") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
