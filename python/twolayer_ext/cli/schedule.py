"""The option ``--schedule NAME [KEY=NUMBER ...]``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from twolayer_ext import schedules
from twolayer_ext.schedules import Schedule

SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "cosine": schedules.cosine,
    "one-cycle": schedules.one_cycle,
    "step": schedules.step,
}
SCHEDULE_HELP = (
    "learning rate by step, in place of --learning-rate-decay: cosine [warmup=SHARE] [final=X], "
    "one-cycle [peak_at=SHARE] [start=X] [final=X], step every=SHARE or milestones=SHARE,SHARE,... "
    "[factor=X]; shares of the run"
)


def parse_schedule(words: Sequence[str]) -> Schedule:
    """Return the schedule that the option's words name; ValueError says what is wrong."""
    name, *settings = words
    if name not in SCHEDULES:
        raise ValueError(f"--schedule: {name!r}; must be one of {', '.join(SCHEDULES)}")
    known = inspect.signature(SCHEDULES[name]).parameters
    arguments: dict[str, float | list[float]] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if key not in known or not numbers or (len(numbers) > 1 and key != "milestones"):
            raise ValueError(
                f"--schedule: {setting!r}; {name} takes KEY=NUMBER of {', '.join(known)}"
            )
        arguments[key] = numbers if key == "milestones" else numbers[0]
    return SCHEDULES[name](**arguments)
