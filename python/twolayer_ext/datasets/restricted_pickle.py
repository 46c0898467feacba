"""A reader for the pickles of CIFAR-10 that can build nothing but what those files hold.

It knows the opcodes the published files use (protocol 2, written by Python 2) and those Python 3
writes for the same content with protocols 3 and 4. It imports nothing and calls nothing: the three
globals an array needs are names it recognises, and the array is a view of the bytes that were read.
Memory is bounded by the size of the data and `MAX_OPCODES`; nothing recurses.

The opcodes are described in the standard library's ``pickletools``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from twolayer_ext.errors import FileFormatError

# A published batch has about 30,100 opcodes. The bound keeps a file full of one-byte "make a new
# container" opcodes from taking 64 times its own size.
MAX_OPCODES = 100_000

# The longest text (keys, file names, names of globals); pixels are longer, but are not text.
_MAX_TEXT = 255


class _Global(enum.Enum):
    RECONSTRUCT = enum.auto()
    NDARRAY = enum.auto()
    DTYPE = enum.auto()


_GLOBALS = {
    "numpy.core.multiarray._reconstruct": _Global.RECONSTRUCT,
    "numpy._core.multiarray._reconstruct": _Global.RECONSTRUCT,
    "numpy.ndarray": _Global.NDARRAY,
    "numpy.dtype": _Global.DTYPE,
}


class _UInt8:
    """Stands for numpy.dtype("u1"), the only element type such a file has."""


class _Array:
    """Stands for an array: empty when reconstructed, filled by its state."""

    value: NDArray[np.uint8] | None = None


def read_pickle(data: memoryview, source: str) -> dict[str, object]:
    """Read one pickled dictionary.

    Parameters
    ----------
    data : memoryview of bytes
        The whole pickle. Strings with a four-byte length, and arrays, stay views of it.
    source : str
        What to call the data in errors, the file's name.

    Returns
    -------
    dict
        Keys are str; values are None, bool, int, str, bytes, memoryview, list, tuple, dict, or a
        read-only two-dimensional uint8 ndarray.

    Raises
    ------
    FileFormatError
        If the pickle is truncated or damaged, is no dictionary, or asks for anything else than
        plain data and uint8 arrays; a forbidden global is named and nothing of it is imported.
    """
    return _Machine(data, source).run()


class _Machine:
    """The stack, the marks and the memo of one reading."""

    def __init__(self, data: memoryview, source: str) -> None:
        self.data = data
        self.source = source
        self.position = 0
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self) -> dict[str, object]:
        for _ in range(MAX_OPCODES):
            opcode = self.data[self.position] if self.position < len(self.data) else None
            if opcode is None:
                raise self.error("the data ends before the pickle does; truncated")
            if opcode == ord("."):
                return self.result()
            action = _ACTIONS.get(opcode)
            if action is None:
                raise self.error(f"opcode {bytes([opcode])!r} has no place in a CIFAR-10 file")
            self.position += 1
            action(self)
        raise self.error(f"more than {MAX_OPCODES} opcodes")

    def result(self) -> dict[str, object]:
        if self.position + 1 != len(self.data):
            raise self.error("the pickle is followed by something else")
        if len(self.stack) != 1 or self.marks or not isinstance(self.stack[0], dict):
            raise self.error("the pickle is not one dictionary")
        content = self.stack[0]
        for key, value in content.items():
            if isinstance(value, _Array):
                if value.value is None:
                    raise self.error(f"the array {key!r} has no content")
                content[key] = value.value
        return content

    def error(self, reason: str) -> FileFormatError:
        return FileFormatError(f"{self.source}: byte {self.position}: {reason}")

    # Reading

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.position:
            raise self.error("the data ends before the pickle does; truncated")
        self.position += count
        return self.data[self.position - count : self.position]

    def skip(self, count: int) -> None:
        self.take(count)

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> str:
        head = bytes(self.data[self.position : self.position + _MAX_TEXT])
        end = head.find(b"\n")
        if end < 0:
            raise self.error("a global's name does not end")
        self.position += end + 1
        return head[:end].decode("ascii", "backslashreplace")

    # Stack

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        # What lies below the last mark is out of reach, as in the standard machine.
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.error("an opcode finds too little on the stack")
        return self.stack.pop()

    def pop_many(self, count: int) -> tuple[object, ...]:
        return tuple(reversed([self.pop() for _ in range(count)]))

    def pop_mark(self) -> list[object]:
        if not self.marks:
            raise self.error("an opcode finds no mark on the stack")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def remember(self, index: int) -> None:
        value = self.pop()
        self.memo[index] = value
        self.push(value)

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise self.error("the memo is asked for what was never put there")
        self.push(self.memo[index])

    # Building

    def append(self, values: list[object]) -> None:
        target = self.pop()
        if not isinstance(target, list):
            raise self.error("items are appended to something that is not a list")
        target.extend(values)
        self.push(target)

    def set_items(self, values: list[object]) -> None:
        target = self.pop()
        if not isinstance(target, dict) or len(values) % 2:
            raise self.error("items are set in something that is not a dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            name = _text(key)
            if name is None:
                raise self.error("a key is not a short string")
            target[name] = value
        self.push(target)

    def unicode(self, size: int) -> None:
        if size > _MAX_TEXT:
            raise self.error(f"a text of {size} bytes; names have at most {_MAX_TEXT}")
        try:
            self.push(str(self.take(size), "utf-8"))
        except UnicodeDecodeError:
            raise self.error("a string is not UTF-8") from None

    def find_global(self, module: str | None, name: str | None) -> None:
        found = _GLOBALS.get(f"{module}.{name}")
        if found is None:
            raise self.error(
                f"asks for {module}.{name}, which no CIFAR-10 file needs; refused, nothing was run"
            )
        self.push(found)

    def reduce(self) -> None:
        function, arguments = self.pop_many(2)
        if not isinstance(arguments, tuple) or len(arguments) != 3:
            raise self.error("a call does not have three arguments")
        if function is _Global.RECONSTRUCT:
            kind, shape, code = arguments
            if kind is not _Global.NDARRAY or shape != (0,) or _text(code) != "b":
                raise self.error("an array is not made as NumPy makes one")
            self.push(_Array())
        elif function is _Global.DTYPE:
            code = _text(arguments[0])
            if code != "u1":
                raise self.error(f"an array has elements of type {code!r}; uint8 is needed")
            self.push(_UInt8())
        else:
            raise self.error("calls something that is not a function")

    def build(self) -> None:
        target, state = self.pop_many(2)
        if not isinstance(state, tuple):
            raise self.error("a state is not a tuple")
        if isinstance(target, _UInt8):
            if len(state) != 8 or state[0] != 3 or _text(state[1]) != "|":
                raise self.error("an element type is not plain uint8")
            if state[2:] != (None, None, None, -1, -1, 0):
                raise self.error("an element type is not plain uint8")
        elif isinstance(target, _Array):
            target.value = self.array(state)
        else:
            raise self.error("a state is given to something that is not an array")
        self.push(target)

    def array(self, state: tuple[object, ...]) -> NDArray[np.uint8]:
        if len(state) != 5 or state[0] != 1 or not isinstance(state[2], _UInt8):
            raise self.error("an array's state is not as NumPy writes it")
        _, shape, _, fortran_order, content = state
        if fortran_order is not False:
            raise self.error("an array is not in C order")
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise self.error("an array does not have two dimensions")
        if not all(type(length) is int and length >= 0 for length in shape):
            raise self.error("an array's shape is not made of numbers")
        if not isinstance(content, (bytes, memoryview)) or len(content) != math.prod(shape):
            raise self.error("an array's content does not have the size of its shape")
        pixels = np.frombuffer(content, np.uint8).reshape(shape)
        pixels.flags.writeable = False
        return pixels


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None


def _stack_global(machine: _Machine) -> None:
    module, name = machine.pop_many(2)
    machine.find_global(_text(module), _text(name))


def _string(machine: _Machine) -> None:
    size = machine.number(4, signed=True)
    if size < 0:
        raise machine.error("a string has a negative length")
    machine.push(machine.take(size))


_ACTIONS: dict[int, Callable[[_Machine], None]] = {
    ord(code): action
    for code, action in {
        "\x80": lambda m: m.skip(1),  # PROTO
        "\x95": lambda m: m.skip(8),  # FRAME
        "(": lambda m: m.marks.append(len(m.stack)),  # MARK
        "N": lambda m: m.push(None),  # NONE
        "\x88": lambda m: m.push(True),  # NEWTRUE
        "\x89": lambda m: m.push(False),  # NEWFALSE
        "K": lambda m: m.push(m.number(1)),  # BININT1
        "M": lambda m: m.push(m.number(2)),  # BININT2
        "J": lambda m: m.push(m.number(4, signed=True)),  # BININT
        "U": lambda m: m.push(bytes(m.take(m.number(1)))),  # SHORT_BINSTRING
        "C": lambda m: m.push(bytes(m.take(m.number(1)))),  # SHORT_BINBYTES
        "T": _string,  # BINSTRING
        "B": lambda m: m.push(m.take(m.number(4))),  # BINBYTES
        "\x8c": lambda m: m.unicode(m.number(1)),  # SHORT_BINUNICODE
        "X": lambda m: m.unicode(m.number(4)),  # BINUNICODE
        "]": lambda m: m.push([]),  # EMPTY_LIST
        "a": lambda m: m.append([m.pop()]),  # APPEND
        "e": lambda m: m.append(m.pop_mark()),  # APPENDS
        "}": lambda m: m.push({}),  # EMPTY_DICT
        "s": lambda m: m.set_items(list(m.pop_many(2))),  # SETITEM
        "u": lambda m: m.set_items(m.pop_mark()),  # SETITEMS
        ")": lambda m: m.push(()),  # EMPTY_TUPLE
        "t": lambda m: m.push(tuple(m.pop_mark())),  # TUPLE
        "\x85": lambda m: m.push(m.pop_many(1)),  # TUPLE1
        "\x86": lambda m: m.push(m.pop_many(2)),  # TUPLE2
        "\x87": lambda m: m.push(m.pop_many(3)),  # TUPLE3
        "q": lambda m: m.remember(m.number(1)),  # BINPUT
        "r": lambda m: m.remember(m.number(4)),  # LONG_BINPUT
        "\x94": lambda m: m.remember(len(m.memo)),  # MEMOIZE
        "h": lambda m: m.recall(m.number(1)),  # BINGET
        "j": lambda m: m.recall(m.number(4)),  # LONG_BINGET
        "c": lambda m: m.find_global(m.line(), m.line()),  # GLOBAL
        "\x93": _stack_global,  # STACK_GLOBAL
        "R": lambda m: m.reduce(),  # REDUCE
        "b": lambda m: m.build(),  # BUILD
    }.items()
}
