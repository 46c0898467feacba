"""Files made by hand to do harm: (reader, name, content, the error it gets)."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import math
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from fuzz import seeds

Hostile: TypeAlias = tuple[str, str, bytes, str]


class _RunsCode:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return eval, ("1 / 0",)  # no reader answers with a ZeroDivisionError


def header(descr: str, shape: str, values: bytes = b"", order: str = "False") -> bytes:
    """A .npy file whose header says what it likes."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + values


def npy_files() -> Iterator[Hostile]:
    """One array."""
    u4 = "'<u4'"
    yield "npy", "elements that overflow", header(u4, "(4294967296, 4294967296)"), "any memory"
    yield "npy", "no elements, overflowing", header(u4, "(0, 2**63 - 1, 9)"), "no readable"
    yield "npy", "petabytes", header(u4, "(10000000000, 100000)"), "a header that says 4000000000"
    yield "npy", "one byte less", header(u4, "(2,)", bytes(7)), "truncated or damaged"
    yield "npy", "one byte more", header(u4, "(2,)", bytes(9)), "truncated or damaged"
    yield "npy", "negative lengths", header(u4, "(-2, -2)", bytes(16)), "impossible shape"
    yield "npy", "fractions of lengths", header(u4, "(2.5, 2)", bytes(20)), "no readable"
    yield "npy", "truth as a length", header(u4, "(True,)", bytes(4)), "impossible shape"
    yield "npy", "70 dimensions", header(u4, f"({'1,' * 70})", bytes(4)), "impossible shape"
    yield "npy", "Python objects", header("'|O'", "(1,)", bytes(8)), "values of type object"
    yield "npy", "objects in records", header("[('a', '|O')]", "(1,)", bytes(8)), "values of type"
    yield "npy", "complex", header("'<c8'", "(1,)", bytes(8)), "values of type complex64"
    yield "npy", "texts of no length", header("'<U0'", "(999999999,)"), "values of type <U0"
    yield "npy", "texts of gigabytes", header("'<U999999999'", "(9,)"), "no readable"
    yield "npy", "texts of megabytes", header("'<U99999999'", "(9,)"), "a header that says"
    yield "npy", "code", header("__import__('os').abort()", "(1,)"), "no readable"
    yield "npy", "a call as the shape", header(u4, "exit()"), "no readable"
    yield "npy", "brackets without end", b"\x93NUMPY\1\0" + b"\x28\x23" + b"(" * 9000, "readable"
    yield "npy", "a long header", b"\x93NUMPY\2\0\xff\xff\xff\x7f", "no readable"
    yield "npy", "version 9", b"\x93NUMPY\x09\0" + header(u4, "()", bytes(4))[8:], "version"
    surrogate = np.array([0xD800], "<u4").tobytes()
    yield "npy", "half a character", header("'<U1'", "(1,)", surrogate), "not Unicode"


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, **fields: int) -> bytes:
    """An archive whose entries have these fields besides."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            for field, value in fields.items():
                setattr(info, field, value)
            archive.writestr(info, content)
    return stream.getvalue()


def npz_files() -> Iterator[Hostile]:
    """Two arrays in an archive."""
    x, y = seeds.npy(np.eye(3)), seeds.npy(np.arange(3))
    whole = zipped({"x.npy": x, "y.npy": y})
    yield "npz", "no archive", b"PK\3\4" + bytes(60), "not a whole .npz file"
    yield "npz", "no directory", whole[:-22], "not a whole .npz file"
    yield "npz", "beyond its end", whole[:-6] + b"\xff\xff\xff\x7f" + whole[-2:], "whole|beginning"
    bomb = seeds.npy(np.zeros((1 << 13, 1 << 10), np.uint8))
    packed = bytearray(zipped({"x.npy": bomb, "y.npy": y}, zipfile.ZIP_DEFLATED))
    at = packed.index(b"PK\1\2") + 24
    packed[at : at + 4] = struct.pack("<I", 2**31)
    yield "npz", "a size the method cannot have", bytes(packed), "more than it can hold"
    packed[at : at + 4] = struct.pack("<I", len(bomb) // 2)
    yield "npz", "half its size", bytes(packed), "a header that says"
    for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        content = zipped({"x.npy": x, "y.npy": y}, method)
        yield "npz", name, content, "in a way NumPy does not use"
    encrypted = bytearray(whole)
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\1\2") + 8] |= 1
    yield "npz", "encrypted", bytes(encrypted), "encrypted|password"
    damaged = bytearray(zipped({"x.npy": x, "y.npy": y}, zipfile.ZIP_DEFLATED))
    damaged[45] ^= 255
    yield "npz", "damaged in the middle", bytes(damaged), r"whole|readable|values"
    links = zipped({"x.npy": b"/etc/passwd", "y.npy": b"/etc/shadow"}, external_attr=0o120777 << 16)
    yield "npz", "symbolic links", links, "no readable .npy header"
    outside = zipped({"../x.npy": x, "/y.npy": y})
    yield "npz", "names of other places", outside, "no array called x or y"
    pickled = zipped({"x.npy": pickle.dumps(_RunsCode()), "y.npy": y})
    yield "npz", "a pickle", pickled, "no readable .npy header"
    objects = io.BytesIO()
    np.save(objects, np.array([[_RunsCode()]], object), allow_pickle=True)
    code = zipped({"x.npy": objects.getvalue(), "y.npy": y})
    yield "npz", "an array of code", code, "type object"


def changed(content: bytes, **arrays: np.ndarray | bytes | None) -> bytes:
    """A network's file with other entries; None takes one out."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, array in arrays.items():
        members.pop(f"{name}.npy", None)
        if array is not None:
            members[f"{name}.npy"] = array if isinstance(array, bytes) else seeds.npy(array)
    return zipped(members)


def network_files() -> Iterator[Hostile]:
    """A network."""
    right = seeds.network((2, 3))
    sizes = {
        "a layer of 2**40": ([2**40, 2**40], "must be at most 2147483647"),
        "layers that overflow": ([2**31 - 1, 2**31 - 1], "no more parameters than memory has"),
        "a layer of nothing": ([2, 0], "layer_sizes"),
        "a negative layer": ([2, -3], "layer_sizes"),
        "one layer": ([2], "layer_sizes"),
    }
    for name, (listed, message) in sizes.items():
        yield "network", name, changed(right, layer_sizes=np.array(listed)), message
    many = np.full(100_000, 2)
    yield "network", "a hundred thousand layers", changed(right, layer_sizes=many), "layer_sizes"
    yield "network", "weights that are not", changed(right, W1=None), "W1 is missing"
    nan = np.full((2, 3), np.nan, np.float32)
    yield "network", "weights of nan", changed(right, W1=nan), "not finite"
    no_scale = np.zeros(2)
    yield "network", "a scale of zero", changed(right, scale=no_scale), "scale"
    unknown = np.array("__import__('os').abort")
    yield "network", "an activation by name", changed(right, activation=unknown), "activation"
    yield "network", "one entry more", changed(right, code=np.zeros(1)), "no part of a network"
    objects = pickle.dumps(_RunsCode())
    yield "network", "a pickle", changed(right, W1=objects), "no readable"
    tasks: dict[str, tuple[Any, str]] = {
        "a loss by name": ({"loss": {"name": "os.system"}}, "loss"),
        "a loss that is a list": ({"loss": [["cross_entropy"]]}, "loss|describe"),
        "no columns": ({"columns": 0}, "what the targets are"),
        "columns without end": ({"columns": 10**30}, "columns|outputs|targets"),
        "infinite columns": ({"columns": math.inf}, "what the targets are"),
        "a number beyond floats": ({"loss": {"name": "huber", "delta": 10**400}}, "loss"),
        "a number that is a list": ({"loss": {"name": "huber", "delta": [[1]]}}, "loss"),
        "a function's name": (
            {"loss": {"name": "custom", "function": "os.system"}},
            "3 classes for 3 outputs",
        ),
        "levels without end": (
            {"loss": {"name": "quantile", "levels": [0.5] * 10_000}},
            "levels|outputs",
        ),
    }
    with zipfile.ZipFile(io.BytesIO(right)) as archive:
        text = str(np.load(io.BytesIO(archive.read("task.npy"))))
    for name, (change, message) in tasks.items():
        task = json.dumps(json.loads(text) | change)
        yield "network", name, changed(right, task=np.array(task)), message
    deep = np.array("[" * 100_000)
    yield "network", "brackets without end", changed(right, task=deep), "no JSON object"
    for levels in (500, 900, 990):
        written = json.dumps(json.loads(text) | {"loss": 0})
        nested = written.replace('"loss": 0', f'"loss": {"[" * levels}{"]" * levels}')
        yield "network", f"{levels} brackets", changed(right, task=np.array(nested)), "loss|JSON"
    digits = np.array(text.replace('"columns": 1', '"columns": ' + "9" * 10_000))
    yield "network", "ten thousand digits", changed(right, task=digits), "no JSON object"


def idx_files() -> Iterator[Hostile]:
    """Images and labels; the first byte tells the labels' length."""
    labels = seeds.idx((2,))
    cut = bytes([len(labels)])

    def images(dimensions: int, *shape: int, code: int = 8) -> bytes:
        return struct.pack(f">HBB{len(shape)}I", 0, code, dimensions, *shape)

    most = 2**32 - 1
    yield "idx", "pixels that overflow", cut + images(4, most, most, most, most) + labels, "memory"
    yield "idx", "four gigabytes", cut + images(2, 2, 2**31) + bytes(9) + labels, "but 9 follow"
    yield "idx", "no dimensions", cut + images(0) + labels, "0 dimensions"
    yield "idx", "255 dimensions", cut + images(255) + labels, "255 dimensions"
    yield "idx", "half a header", cut + images(3, 2) + labels, "ends inside its header"
    yield "idx", "doubles", cut + images(2, 1, 1, code=14) + bytes(8) + labels, "type code 14"
    yield "idx", "no images", cut + images(3, 0, 28, 28) + labels, "labels for the 0 images"
    yield "idx_gzip", "four gigabytes more", cut + images(2, 2, 2**31) + labels, "unpack|follow"
    huge = cut + images(3, 2**16, 2**16, 2**16) + labels
    yield "idx_gzip", "more than may be unpacked", huge, "unpack it first if that is true"
    bomb = gzip.compress(images(2, 2, 2) + bytes(50_000_000), mtime=0)
    yield "idx", "zeros without end", cut + bomb + labels, "but more follow"
    yield "idx", "half a gzip file", cut + gzip.compress(seeds.idx((2, 2)))[:-9] + labels, "damaged"


def pickles() -> Iterator[Hostile]:
    """What CIFAR-10's batches are."""
    start = b"\x80\x02"
    for name, code in {
        "a global": b"cos\nsystem\n(U\x04truetR.",
        "a global of builtins": b"c__builtin__\neval\n(U\x011tR.",
        "numpy's loader": b"cnumpy\nload\n(U\x01xtR.",
    }.items():
        yield "pickle", name, start + code, "refused, nothing was run"
    yield "pickle", "a global on the stack", b"\x80\4\x8c\2os\x8c\6system\x93.", "nothing was run"
    yield "pickle", "what Python writes", pickle.dumps(_RunsCode(), 4), "nothing was run"
    yield "pickle", "an instance", start + b"(ios\nsystem\n.", "no place in a CIFAR-10 file"
    yield "pickle", "a persistent name", start + b"Pname\n.", "no place"
    yield "pickle", "an extension code", start + b"\x82\1.", "no place"
    yield "pickle", "a state for a dictionary", start + b"}}b.", "a state is not a tuple"
    yield "pickle", "a list in itself", start + b"]q\1h\1a.", "not one dictionary"
    yield "pickle", "lists that double", start + b"]" + b"q\0h\0\x86" * 40_000 + b".", "opcodes"
    memo = start + b"}r\xff\xff\xff\xff" + b"}" * 9 + b"."
    yield "pickle", "a memo of gigabytes", memo, "not one"
    yield "pickle", "a text of gigabytes", start + b"X\xff\xff\xff\x7f.", "at most 255"
    yield "pickle", "bytes of gigabytes", start + b"B\xff\xff\xff\xff.", "truncated"
    yield "pickle", "a negative length", start + b"T\xff\xff\xff\xff.", "negative length"
    shape = b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f"
    # Protocol 3 holds the values as bytes.
    right = pickle.dumps({"data": seeds.PIXELS}, 3)
    overflowing = right.replace(b"K\x01M\x00\x0c", shape, 1)
    yield "pickle", "a shape that overflows", overflowing, "size of its shape"
    signed = right.replace(b"K\x01M\x00\x0c", b"J\xff\xff\xff\xffJ\x00\xf4\xff\xff", 1)
    yield "pickle", "a negative shape", signed, "not made of numbers"
    yield "pickle", "elements of another type", right.replace(b"u1", b"O8"), "'O8'; uint8 is needed"


def tarred(name: str, kind: bytes, **fields: Any) -> bytes:
    """An archive of one entry without content."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)


def archives() -> Iterator[Hostile]:
    """CIFAR-10 as one file."""
    batch = "cifar-10-batches-bin/data_batch_1.bin"
    none = "none of the files of CIFAR-10"
    for name, kind in {
        "a symbolic link": tarfile.SYMTYPE,
        "a hard link": tarfile.LNKTYPE,
        "a device": tarfile.CHRTYPE,
        "a pipe": tarfile.FIFOTYPE,
        "a folder": tarfile.DIRTYPE,
    }.items():
        content = tarred(batch, kind, linkname="/etc/passwd")
        yield "cifar10_archive", name, content, none
    large = tarred(batch, tarfile.REGTYPE, size=8**11 - 1)
    yield "cifar10_archive", "eight gigabytes", large, "not such an archive"
    long_name = tarred("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=8**10)
    yield "cifar10_archive", "a name of a gigabyte", long_name, "not such an archive"
    binary = bytearray(tarred(batch, tarfile.REGTYPE))
    binary[124:136] = b"\x80" + bytes(10) + b"\1"
    binary[148:156] = b"%06o\0 " % (sum(binary[:512]) - sum(binary[148:156]) + 8 * 32)
    yield "cifar10_archive", "a size that is no number", bytes(binary), "no readable size"
    yield "cifar10_archive", "a wrong checksum", b"x" + tarred(batch, b"0")[1:], "damaged"
    short = seeds.tar({batch: bytes(10)})
    yield "cifar10_archive", "a short batch", short, "truncated, or not CIFAR-10"
    label = seeds.tar({batch: b"\x0a" + seeds.PIXELS.tobytes()})
    yield "cifar10_archive", "a label out of range", label, "label 10 in row 0"
    bomb = gzip.compress(tarred(batch, b"5") + bytes(60_000_000), mtime=0)
    yield "cifar10_archive", "zeros without end", bomb, "goes on long after its end mark"
    yield "cifar10_archive", "another compression", bz2.compress(bytes(99)), "no end mark"


def journals() -> Iterator[Hostile]:
    """The runs of a sweep."""
    first, run, _ = seeds.journal().splitlines(keepends=True)
    for levels in (980, 100_000):
        nested = run.replace(b'"config": {', b'"config": ' + b'{"a":' * levels + b"{")
        nested = nested.replace(b"0.1}", b"0.1}" + b"}" * levels, 1)
        yield "journal", f"{levels} brackets", first + nested, "line 2 is n"
    yield "journal", "nan", first + run.replace(b"0.5", b"NaN", 1), "line 2 is not a run"
    yield "journal", "infinity", first + run.replace(b"0.5", b"1e999", 1), "line 2 is not a run"
    digits = run.replace(b'"epochs": 1', b'"epochs": ' + b"1" * 9000)
    yield "journal", "nine thousand digits", first + digits, "line 2 is not an object"
    yield "journal", "no text", first + b"\xff\xfe\n", "line 2 is not an object"
    yield "journal", "a list", first + b"[1]\n", "line 2 is not an object"


def hostile_files() -> list[Hostile]:
    """Return all of them."""
    kinds = (npy_files, npz_files, network_files, idx_files, pickles, archives, journals)
    return [file for kind in kinds for file in kind()]
