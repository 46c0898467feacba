import hashlib
import http.server
import io
import json
import re
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from twolayer_ext.datasets import download as download_module
from twolayer_ext.datasets import download_progress, fetch, fetch_cifar10
from twolayer_ext.datasets.download import download
from twolayer_ext.errors import DownloadError

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content`, as well or as badly as the test wants."""

    def do_GET(self):
        site = self.server
        site.requests.append(dict(self.headers))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", site.moved_to)
            self.end_headers()
            return
        if site.status:
            self.send_error(site.status.pop(0))
            return
        content, start = site.content, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and site.ranges and self.headers.get("If-Range") == site.validator:
            start = int(asked[1])
            self.send_response(206)
            first = start + site.wrong_range
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if site.validator:
            self.send_header("ETag", site.validator)
        if site.announce:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + site.cuts.pop(0) if site.cuts else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *arguments):
        pass


class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a client may leave at any time
            super().handle_error(request, client_address)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.requests = []
        self.status = []  # errors to answer with, one a request, before anything else
        self.cuts = []  # how many bytes to send before cutting the connection, one a request
        self.ranges = True
        self.wrong_range = 0
        self.announce = True
        self.validator = '"version-1"'
        self.moved_to = "/"
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download_module, "RETRY_WAIT_SECONDS", 0.0)
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "folder" / "file.bin"


def get(site, target, *, url=None, progress=False):
    download(url or site.url, target, sha256=SHA256, size=len(CONTENT), progress=progress)


def assert_complete(target):
    assert target.read_bytes() == CONTENT
    assert sorted(path.name for path in target.parent.iterdir()) == ["file.bin", "file.bin.lock"]


def test_whole(site, target):
    get(site, target)
    assert_complete(target)
    get(site, target)
    assert len(site.requests) == 1  # the second call finds the file
    assert "Range" not in site.requests[0]


def test_without_announced_length(site, target):
    site.announce = False
    get(site, target)
    assert_complete(target)


@pytest.mark.parametrize("damage", [b"", b"short", CONTENT[:-1] + b"?", CONTENT + b"?"])
def test_damaged_file_is_fetched_again(site, target, damage):
    target.parent.mkdir(parents=True)
    target.write_bytes(damage)
    get(site, target)
    assert_complete(target)


def test_resumes_within_a_call(site, target):
    site.cuts = [300_000, 0, 400_000]
    get(site, target)
    assert_complete(target)
    asked = [request.get("Range") for request in site.requests]
    assert asked == [None, "bytes=300000-", "bytes=300000-", "bytes=700000-"]
    assert site.requests[1]["If-Range"] == '"version-1"'


def test_resumes_in_the_next_call(site, target):
    site.cuts = [100_000] * 4
    with pytest.raises(
        DownloadError, match="cut 600000 bytes before the end; try again, or"
    ) as caught:
        get(site, target)
    assert str(target) in str(caught.value)
    assert not target.exists()
    assert target.with_name("file.bin.part").stat().st_size == 400_000
    get(site, target)
    assert_complete(target)
    assert site.requests[-1]["Range"] == "bytes=400000-"


@pytest.mark.parametrize("weakness", ["ranges", "validator", "weak", "changed", "other_url"])
def test_restarts_whole_where_it_cannot_resume(site, target, weakness):
    if weakness == "ranges":
        site.ranges = False
    elif weakness == "validator":
        site.validator = None
    elif weakness == "weak":
        site.validator = 'W/"version-1"'
    site.content = CONTENT if weakness != "changed" else bytes(len(CONTENT))
    site.cuts = [100_000] * download_module.ATTEMPTS
    with pytest.raises(DownloadError, match="was cut"):
        get(site, target)
    if weakness == "changed":
        site.content, site.validator = CONTENT, '"version-2"'
    count = len(site.requests)
    get(site, target, url=site.url + ("other" if weakness == "other_url" else ""))
    assert_complete(target)
    assert len(site.requests) == count + 1
    assert ("Range" in site.requests[-1]) == (weakness in ("ranges", "changed"))


@pytest.mark.parametrize(
    "note", ["", "[]", "{", '{"url": 1}', '{"url": "URL", "validator": "a\\nb"}']
)
def test_damaged_note(site, target, note):
    target.parent.mkdir(parents=True)
    target.with_name("file.bin.part").write_bytes(CONTENT[:10])
    target.with_name("file.bin.part.json").write_text(note.replace("URL", site.url))
    get(site, target)
    assert_complete(target)


def test_damaged_part_is_fetched_again(site, target):
    for part in (b"?" * 1000, b"?" * len(CONTENT), b"?" * (len(CONTENT) + 1)):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name("file.bin.part").write_bytes(part)
        note = {"url": site.url, "validator": site.validator}
        target.with_name("file.bin.part.json").write_text(json.dumps(note))
        get(site, target)
        assert_complete(target)
        target.unlink()


def test_server_that_sends_another_part(site, target):
    site.cuts, site.wrong_range = [1000], 1
    get(site, target)
    assert_complete(target)
    assert [request.get("Range") for request in site.requests] == [None, "bytes=1000-", None]


def test_wrong_checksum(site, target):
    site.content = CONTENT[:-1] + b"?"
    with pytest.raises(DownloadError, match="does not have the SHA-256"):
        get(site, target)
    assert [path.name for path in target.parent.iterdir()] == ["file.bin.lock"]


@pytest.mark.parametrize("size", [0, 999_999, 1_000_001])
def test_wrong_size(site, target, size):
    site.content = (CONTENT + b"?")[:size]
    with pytest.raises(DownloadError, match=f"file has {size} bytes, not 1000000"):
        get(site, target)
    assert [path.name for path in target.parent.iterdir()] == ["file.bin.lock"]


def test_never_writes_more_than_the_size(site, target):
    site.content, site.announce = CONTENT * 3, False
    get(site, target)
    assert_complete(target)


def test_not_found(site, target):
    site.status = [404]
    with pytest.raises(DownloadError, match="answers 404 Not Found; try again, or download"):
        get(site, target)
    assert len(site.requests) == 1
    assert not target.exists()


def test_busy_server_is_asked_again(site, target):
    site.status = [503, 500]
    get(site, target)
    assert_complete(target)
    site.status = [503] * 4
    target.unlink()
    with pytest.raises(DownloadError, match="answers 503"):
        get(site, target)


def test_range_that_cannot_be_had(site, target):
    site.cuts = [1000]
    site.status = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download_module, "ATTEMPTS", 1)
        with pytest.raises(DownloadError, match="was cut"):
            get(site, target)
    site.status = [416]
    get(site, target)
    assert_complete(target)
    assert "Range" not in site.requests[-1]


def test_no_server(site, target):
    url = site.url
    site.shutdown()
    site.server_close()
    with pytest.raises(DownloadError, match="refused; try again, or download the file by hand"):
        get(site, target, url=url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd", ""])
def test_only_http(target, url):
    with pytest.raises(ValueError, match="should begin with http:// or https://"):
        download(url, target, sha256=SHA256, size=1)
    assert not target.parent.exists()


def test_redirects(site, target):
    get(site, target, url=site.url + "moved")
    assert_complete(target)
    target.unlink()
    for elsewhere in ("ftp://127.0.0.1/file", "file:///etc/passwd"):
        site.moved_to = elsewhere
        with pytest.raises(DownloadError, match=r"refused|302"):
            get(site, target, url=site.url + "moved")


def test_two_processes_at_once(site, target):
    program = (
        "import pathlib, sys; from twolayer_ext.datasets.download import download\n"
        "url, target, sha256, size = sys.argv[1:]\n"
        "download(url, pathlib.Path(target), sha256=sha256, size=int(size))"
    )
    command = [sys.executable, "-c", program, site.url, target, SHA256, str(len(CONTENT))]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert_complete(target)
    assert len(site.requests) == 1


# Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_silent_without_a_terminal(site, target, capsys):
    get(site, target, progress=None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("tqdm", [True, False])
@pytest.mark.parametrize("wanted", [True, None])
def test_progress(site, target, monkeypatch, tqdm, wanted):
    stderr = Terminal() if wanted is None else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    if not tqdm:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setattr(download_progress, "_LINE_SECONDS", 0.0)
    site.cuts = [300_000]
    get(site, target, progress=wanted)
    shown = stderr.getvalue()
    assert "file.bin" in shown
    assert "100%" in shown
    assert shown.endswith("\n")
    if not tqdm:
        assert "file.bin: 0.3 of 1.0 MB (30%)" in shown


# fetch_cifar10


@pytest.fixture
def published(site, tmp_path, monkeypatch, small_batches, cifar10_writer):
    """A small data set where the publisher's would be."""
    for layout, key in (("py", "python"), ("bin", "binary")):
        folder = cifar10_writer.write(tmp_path / "published", layout)
        path = tmp_path / "published" / f"{key}.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            tar.add(folder, folder.name)
        content = path.read_bytes()
        archive = fetch.Archive(
            f"{site.url}cifar-10-{key}.tar.gz", len(content), hashlib.sha256(content).hexdigest()
        )
        monkeypatch.setitem(fetch.CIFAR10_ARCHIVES, key, archive)
        if key == "python":
            site.content = content
    return tmp_path / "published"


def test_fetch_cifar10(published, site, tmp_path, small_batches, cifar10_writer):
    pixels, _ = cifar10_writer.content(small_batches)
    for _ in range(2):
        train, test = fetch_cifar10(tmp_path / "cache")
        assert np.array_equal(np.concatenate([train.x, test.x]), pixels)
    assert len(site.requests) == 1
    assert (tmp_path / "cache" / "cifar-10-python.tar.gz").is_file()


def test_fetch_cifar10_binary_from_another_server(published, site, tmp_path):
    site.content = (published / "binary.tar.gz").read_bytes()
    train, _ = fetch_cifar10(tmp_path / "cache", layout="binary", url=site.url + "mirror")
    assert train.x.shape == (100, 3072)
    assert (tmp_path / "cache" / "cifar-10-binary.tar.gz").is_file()


def test_fetch_cifar10_refuses_another_file(published, site, tmp_path):
    with pytest.raises(DownloadError, match="not"):
        fetch_cifar10(tmp_path / "cache", layout="binary", url=site.url)
    with pytest.raises(ValueError, match="layout: 'matlab'"):
        fetch_cifar10(tmp_path / "cache", layout="matlab")
    with pytest.raises(ValueError, match="url: 'file:"):
        fetch_cifar10(tmp_path / "cache", url="file:///tmp/x")


def test_cache_folder(published, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("TWOLAYER_CACHE", "")
    name = "cifar-10-python.tar.gz"
    fetch_cifar10()
    assert (tmp_path / "home" / ".cache" / "twolayer-ext" / name).is_file()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    fetch_cifar10()
    assert (tmp_path / "xdg" / "twolayer-ext" / name).is_file()
    monkeypatch.setenv("TWOLAYER_CACHE", str(tmp_path / "own"))
    fetch_cifar10()
    assert (tmp_path / "own" / name).is_file()


def test_published_archives():
    """What is known of the publisher's files has not been touched."""
    for key, size, start in (("python", 170_498_071, "6d95"), ("binary", 170_052_171, "c4a3")):
        archive = fetch.CIFAR10_ARCHIVES[key]
        assert archive.url == f"https://www.cs.toronto.edu/~kriz/cifar-10-{key}.tar.gz"
        assert archive.size == size
        assert re.fullmatch(start + "[0-9a-f]{60}", archive.sha256)
        assert Path(archive.url).suffix == ".gz"
