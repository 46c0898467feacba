"""The kept corpus, once through every reader, within the bounds that fuzzing has."""

from __future__ import annotations

import pytest

pytest.importorskip("resource", reason="the bounds of a process are POSIX's")

from fuzz import readers, seeds

KEPT = sorted(readers.CORPUS.glob("*/*"))


@pytest.fixture(autouse=True)
def as_when_fuzzing():
    with readers.checksums_ignored(), readers.small_batches():
        yield


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_kept_inputs_are_read_or_refused_within_bounds(path):
    with readers.bounded():
        readers.execute(readers.READERS[path.parent.name], path.read_bytes())


def test_every_reader_takes_seeds_of_its_own():
    """A corpus that nothing reads to its end would replay nothing but the first checks."""
    taken = {
        name
        for name, _, content in seeds.seeds()
        if readers.execute(readers.READERS[name], content)
    }
    assert taken == set(readers.READERS)


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in KEPT) < 200_000


@pytest.mark.parametrize(
    ("clock", "peaks", "message"),
    [((0.0, 1.1), (0, 0), "1.10 s"), ((0.0, 0.1), (0, 65 << 20), "65 MiB more than before")],
)
def test_what_takes_too_much_is_found(monkeypatch, clock, peaks, message):
    monkeypatch.setattr(readers.time, "process_time", iter(clock).__next__)
    monkeypatch.setattr(readers, "_peak", iter(peaks).__next__)
    with pytest.raises(readers.FoundError, match=message):
        readers.execute(lambda content: None, b"")


def test_room_is_bounded():
    with readers.bounded(), pytest.raises(MemoryError):
        bytearray(1 << 30)
