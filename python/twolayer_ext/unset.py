"""UNSET: the default of an argument that was not given, where None is a value of its own."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unset(Enum):
    """The type of `UNSET`: an enumeration, so that type checkers know ``is UNSET`` for a test."""

    UNSET = "<unset>"

    def __repr__(self) -> str:
        return "<unset>"


UNSET: Final = Unset.UNSET
