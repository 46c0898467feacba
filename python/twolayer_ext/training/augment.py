"""Augment: images changed at random on their way into a batch."""

from __future__ import annotations

from dataclasses import dataclass

from twolayer_ext import checks
from twolayer_ext.engine import AugmentOptions
from twolayer_ext.network import techniques


@dataclass(frozen=True)
class Augment:
    """How images are changed at random on their way into a batch; the data set stays as it is.

    Parameters
    ----------
    image_shape : (int, int, int)
        (channels, height, width): a row of x holds the channels one after the other, each row by
        row, as CIFAR-10's do.
    flip : bool, default True
        Mirror every other image, on average, left to right.
    shift : int, default 0
        Move each by up to so many pixels up or down and left or right; the gap is filled by
        reflection at the edge. Less than height and width.
    cutout : int, default 0
        Side of a square, its centre anywhere in the image, that is replaced by the network's
        input shift, as if by the mean image (DeVries and Taylor 2017). At most the larger side.

    Raises
    ------
    ValueError, TypeError
        An argument that is none of these; the message names it.
    """

    image_shape: tuple[int, int, int]
    flip: bool = True
    shift: int = 0
    cutout: int = 0

    def __post_init__(self) -> None:
        _, height, width = techniques.image_shape("image_shape", self.image_shape, None)
        checks.flag("flip", self.flip)
        for name, value, limit in (
            ("shift", self.shift, min(height, width) - 1),
            ("cutout", self.cutout, max(height, width)),
        ):
            if checks.integer(name, value, minimum=0) > limit:
                raise ValueError(f"{name}: {value}; must be at most {limit} for these images")

    def options(self, features: int) -> AugmentOptions:
        """Return what an engine takes; the images must have `features` values."""
        shape = techniques.image_shape("augment: image_shape", self.image_shape, features)
        return shape, bool(self.flip), int(self.shift), int(self.cutout)


def augment_options(value: object, features: int) -> AugmentOptions | None:
    """Return what an engine takes for train's `augment`."""
    if value is None:
        return None
    if not isinstance(value, Augment):
        raise TypeError(
            f"augment: {checks.shown(value)}; must be an Augment, such as "
            "Augment((3, 32, 32), shift=4)"
        )
    return value.options(features)
