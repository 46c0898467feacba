"""sweep(): configurations drawn and checked, run, ranked, and what was found written down."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from twolayer_ext import _core, checks
from twolayer_ext.errors import MissingExtraError, SweepInterrupted
from twolayer_ext.files.writing import whole_file
from twolayer_ext.plots import save_figure
from twolayer_ext.rows import digest
from twolayer_ext.sweeping import space as spaces
from twolayer_ext.sweeping.journal import Journal
from twolayer_ext.sweeping.picture import plot_sweep
from twolayer_ext.sweeping.result import SweepResult
from twolayer_ext.sweeping.search import Round, Search, SharedData, check_all
from twolayer_ext.sweeping.space import Config, Space
from twolayer_ext.training import defaults
from twolayer_ext.version import __version__

METHODS = ("random", "halving")


def sweep(
    space: Space,
    x: ArrayLike,
    y: ArrayLike,
    *,
    validation_data: tuple[ArrayLike, ArrayLike],
    configurations: int = 32,
    method: str = "random",
    eta: int = 3,
    seed: int = 0,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> SweepResult:
    """Search for good arguments of `train`.

    Configurations are drawn at random and trained side by side, each on one thread: the way to
    keep all cores busy with networks too small for a team of threads. Where fewer are left to run
    than there are workers, each gets more threads instead. All arguments of all configurations
    are checked before the first is trained. The result does not depend on the number of workers.

    Parameters
    ----------
    space : dict, or function
        For each argument of `train` to be set: a list of choices; a distribution,
        ``distributions.uniform(low, high)``, ``log_uniform(low, high)`` or ``integer(low, high)``;
        or any other value, the same for all (a tuple is one value, ``(512, 256)`` hidden units
        say). A function is called with a ``numpy.random.Generator`` and returns the keyword
        arguments of one configuration.
    x : array_like, frame or sparse matrix, shape (N, D)
    y : array_like, shape (N,) or (N, columns)
        To train on, as for `train`; shared by all runs without a copy.
    validation_data : (x, y)
        What configurations are compared on, by the accuracy or R² of the network that `train`
        returns: after the last epoch, or with ``early_stopping`` in the space after the best.
        Where the loss has neither, by the validation loss.
    configurations : int, default 32
        How many to draw. One that is drawn twice is run once.
    method : {"random", "halving"}, default "random"
        "random" trains every configuration as long as it says. "halving" is successive halving
        (Jamieson and Talwalkar, 2016): all begin with few epochs, and the best 1/eta go on with
        eta times as many, until the space's ``epochs``, the same for all, are reached. Going on
        means training from the start again, with the very result of one long run; a configuration
        that diverged does not go on. The next round begins when the last is done.
    eta : int, 2 or more, default 3
        For halving only.
    seed : int, default 0
        Decides the configurations: number i depends on `space`, `seed` and i alone. The seed of
        each training is the space's ``seed``, by default that of `train`.
    workers : int, optional
        How many runs at once. Default: OMP_NUM_THREADS, else the CPUs this process may use.
    out : path-like, optional
        A folder, made if missing. Each finished run becomes a line of ``runs.jsonl`` at once, the
        end writes ``table.md`` and, where matplotlib is installed, ``sweep.png``. A sweep that
        was stopped, or killed, goes on when called again: with the same space, data, seed and
        version of this package. With another number of configurations, or method, or eta, it
        uses those of the finished runs that it needs.
    progress : bool, optional
        Show progress on standard error; by default if that is a terminal.

    Returns
    -------
    SweepResult
        ``.runs``, best first; ``.best``, for ``train(x, y, **result.best)``; ``.table()``. A
        training that diverged is a run as well, the last of the table.

    Raises
    ------
    ValueError, TypeError
        A wrong argument, of this function or of `train`; losses whose results do not compare;
        `out` holds another sweep.
    FileFormatError
        ``runs.jsonl`` in `out` is broken.
    OSError
        `out` cannot be written.
    SweepInterrupted
        Ctrl-C; a KeyboardInterrupt. ``.result`` holds the runs that were finished.
    """
    count = checks.integer("configurations", configurations, minimum=1)
    checks.choice("method", method, METHODS)
    eta = checks.integer("eta", eta, minimum=2)
    seed = checks.integer("seed", seed, minimum=0)
    workers = (
        _core.default_threads()
        if workers is None
        else checks.integer("workers", workers, minimum=1)
    )
    if progress is not None:
        progress = checks.flag("progress", progress)
    if validation_data is None:
        raise TypeError("validation_data: None; must be a pair (x, y)")
    unique: dict[str, tuple[int, Config]] = {}
    for number, config in enumerate(spaces.draw(space, count, seed)):
        unique.setdefault(spaces.key(config), (number, config))
    candidates = dict(unique.values())
    data = check_all(candidates, x, y, validation_data)
    rounds = [Round(len(candidates), None)]
    if method == "halving":
        epochs = _most_epochs(candidates, len(data.x))
        rounds = _halving_rounds(len(candidates), epochs, eta)

    # All arguments are right: now the work begins.
    if out is None:
        journal = Journal(None, {})
    else:
        Path(out).mkdir(parents=True, exist_ok=True)
        journal = Journal(Path(out) / "runs.jsonl", _header(space, seed, data))
    search = Search(data, workers, progress, journal)
    try:
        result = search.run(candidates, rounds)
        if out is not None:
            _write(Path(out), result)
    except KeyboardInterrupt:
        raise SweepInterrupted(search.result()) from None
    return result


def _halving_rounds(count: int, epochs: int, eta: int) -> list[Round]:
    """As many rounds as both numbers allow; the last has all epochs."""
    last = 0
    while eta ** (last + 1) <= min(count, epochs):
        last += 1
    if last == 0:
        raise ValueError(
            f"method: 'halving' of {count} different configurations over {epochs} epochs; "
            f"both must be at least eta, {eta}"
        )
    return [Round(count // eta**i, epochs // eta ** (last - i)) for i in range(last + 1)]


def _most_epochs(candidates: Mapping[int, Config], rows: int) -> int:
    """Return the epochs of halving's last round, which all configurations agree on."""
    if any(config.get("max_steps") is not None for config in candidates.values()):
        raise ValueError("max_steps: given with method 'halving'; must be left out")
    epochs = set()
    for config in candidates.values():
        chosen, batch = config.get("epochs"), config.get("batch_size")
        if chosen is None:
            batch = defaults.batch_size(rows) if batch is None else min(batch, rows)
            chosen = defaults.epochs(rows, batch)
        epochs.add(chosen)
    if len(epochs) > 1:
        raise ValueError(
            f"epochs: {', '.join(map(str, sorted(epochs)))} with method 'halving'; "
            "must be one number for all configurations"
        )
    return int(epochs.pop())


def _header(space: Space, seed: int, data: SharedData) -> dict[str, Any]:
    return {
        "version": __version__,
        "seed": seed,
        "space": spaces.describe(space),
        "x": digest(data.x),
        "y": digest(data.y),
        "validation_data[0]": digest(data.validation[0]),
        "validation_data[1]": digest(data.validation[1]),
    }


def _write(folder: Path, result: SweepResult) -> None:
    """Write table and picture, each whole or not at all."""
    with whole_file(folder / "table.md") as stream:
        stream.write(result.table().encode())
    # Only matplotlib being absent leaves the picture out.
    with contextlib.suppress(MissingExtraError):
        save_figure(plot_sweep(result), folder / "sweep.png")
