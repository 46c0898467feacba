"""The package's own exceptions. Wrong argument values raise ValueError, wrong types TypeError."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twolayer_ext.training import TrainResult


class TwolayerError(Exception):
    """Base class of the errors below."""


class FileFormatError(TwolayerError):
    """A file is broken, truncated, hostile, or of another format than expected."""


class DownloadError(TwolayerError):
    """A download failed, or what arrived does not have the expected checksum."""


class MissingExtraError(TwolayerError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional dependency: pip install 'twolayer-ext[{extra}]'"
        )
        self.extra = extra


class DivergenceError(TwolayerError, ArithmeticError):
    """The loss, the validation loss or a parameter stopped being finite.

    Attributes
    ----------
    result : TrainResult
        History up to and including the step that failed, and the network as it was left; with
        early stopping, as it was after its best epoch.
    """

    def __init__(self, message: str, result: TrainResult) -> None:
        super().__init__(message)
        self.result = result


class TrainingInterrupted(KeyboardInterrupt):
    """Training was interrupted by Ctrl-C.

    Attributes
    ----------
    result : TrainResult
        History up to the interruption, and the network, which is valid and usable.
    """

    def __init__(self, result: TrainResult) -> None:
        super().__init__("training was interrupted; .result holds the network and its history")
        self.result = result
