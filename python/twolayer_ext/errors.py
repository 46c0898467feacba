"""The package's own exceptions. Wrong argument values raise ValueError, wrong types TypeError."""

from __future__ import annotations

from typing import Any

# What a `result` is says the room that raises the error, which stands above this file: so Any here.

# Exceptions are pickled and copied by calling their class with `args`, the message; those whose
# constructors take something else say so in `__reduce__`.
_Reduced = tuple[Any, tuple[Any, ...], dict[str, Any]]


class TwolayerError(Exception):
    """Base class of the errors below."""


class FileFormatError(TwolayerError):
    """A file is broken, truncated, hostile, or of another format than expected."""


class DownloadError(TwolayerError):
    """A download failed, or what arrived does not have the expected checksum."""


class NetworkBusyError(TwolayerError, RuntimeError):
    """A network that is being trained was to be trained by another call, or by a callback."""


class MissingExtraError(TwolayerError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional dependency: pip install 'twolayer-ext[{extra}]'"
        )
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> _Reduced:
        return type(self), (self.feature, self.extra), self.__dict__


class DivergenceError(TwolayerError, ArithmeticError):
    """The loss, the validation loss or a parameter stopped being finite.

    Attributes
    ----------
    result : TrainResult
        History up to and including the step that failed, and the network as it was left; with
        early stopping, as it was after its best epoch.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> _Reduced:
        return type(self), (str(self), self.result), self.__dict__


class CheckpointError(TwolayerError, OSError):
    """Training is done, but its last checkpoint could not be written.

    Attributes
    ----------
    result : TrainResult
        All that the training gave.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> _Reduced:
        return type(self), (str(self), self.result), self.__dict__


class TrainingInterrupted(KeyboardInterrupt):
    """Training was interrupted by Ctrl-C.

    Attributes
    ----------
    result : TrainResult
        History up to the interruption, and the network, which is valid and usable.
    """

    def __init__(self, result: Any) -> None:
        super().__init__("training was interrupted; .result holds the network and its history")
        self.result = result

    def __reduce__(self) -> _Reduced:
        return type(self), (self.result,), self.__dict__


class SweepInterrupted(KeyboardInterrupt):
    """A sweep was interrupted by Ctrl-C.

    Attributes
    ----------
    result : SweepResult
        The runs that were finished.
    """

    def __init__(self, result: Any) -> None:
        super().__init__("the sweep was interrupted; .result holds the finished runs")
        self.result = result

    def __reduce__(self) -> _Reduced:
        return type(self), (self.result,), self.__dict__
