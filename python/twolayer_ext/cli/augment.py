"""The option ``--augment image=CxHxW [flip=0] [shift=N] [cutout=N]``."""

from __future__ import annotations

from collections.abc import Sequence

from twolayer_ext.training import Augment

AUGMENT_HELP = (
    "change images at random in every step: mirrored (flip=0: not), shifted by up to N pixels, a "
    "square of side N blotted out; CxHxW is channels, height and width, such as 3x32x32"
)


def parse_augment(words: Sequence[str]) -> Augment:
    """Return what the option's words ask for; ValueError says what is wrong."""
    settings: dict[str, list[int]] = {}
    for word in words:
        key, _, text = word.partition("=")
        try:
            numbers = [int(part) for part in text.split("x")]
        except ValueError:
            numbers = []
        wanted = {"image": 3, "flip": 1, "shift": 1, "cutout": 1}.get(key)
        if len(numbers) != wanted:
            raise ValueError(
                f"--augment: {word!r}; must be image=CxHxW, flip=0, shift=N or cutout=N"
            )
        settings[key] = numbers
    if "image" not in settings:
        raise ValueError("--augment: without image=CxHxW; must say the shape of the images")
    channels, height, width = settings["image"]
    try:
        return Augment(
            (channels, height, width),
            flip=bool(settings.get("flip", [1])[0]),
            shift=settings.get("shift", [0])[0],
            cutout=settings.get("cutout", [0])[0],
        )
    except ValueError as error:
        raise ValueError(f"--augment: {error}") from None
