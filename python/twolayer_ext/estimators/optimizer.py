"""The optimizers of steps: their learning rate, and the compiled trainer that holds their state."""

from __future__ import annotations

from typing import Any

from twolayer_ext import _core

# Rates at which "adaptive" gives up, and by which it divides.
_SMALLEST_RATE = 1e-6
_DIVISOR = 5.0


class StochasticOptimizer:
    """An optimizer's learning rate and state.

    Parameters
    ----------
    kernel : str
        The core's name for it.
    learning_rate_init : float
    hyperparameters : dict of str to float
        What the kernel reads, by its names.
    schedule : {"constant", "invscaling", "adaptive"}
        scikit-learn's of gradient descent.
    power_t : float

    Attributes
    ----------
    learning_rate : float
        Of the next step; Adam's without its corrections.
    """

    def __init__(
        self,
        kernel: str,
        learning_rate_init: float,
        hyperparameters: dict[str, float],
        *,
        schedule: str = "constant",
        power_t: float = 0.5,
    ) -> None:
        self.learning_rate_init = learning_rate_init
        self.learning_rate = float(learning_rate_init)
        self.schedule = schedule
        self.power_t = power_t
        self._kernel = kernel
        self._hyperparameters = {"weight_decay": 0.0, **hyperparameters}
        self._state: dict[str, Any] | None = None
        self._bound: tuple[Any, _core.Network, _core.Trainer] | None = None

    def bind(
        self, key: tuple[Any, ...], network: _core.Network, loss: _core.Loss, **options: Any
    ) -> tuple[_core.Network, _core.Trainer]:
        """Return a network like the one given, and a trainer of it that goes on from the state.

        Both are those of the last call if `key`, with the options, is the same: what the loss
        and the network were made from.
        """
        key = (*key, network.layer_sizes, network.activation, network.dtype, *options.items())
        if self._bound is not None and self._bound[0] == key:
            return self._bound[1:]
        self._keep()
        trainer = _core.Trainer(
            network,
            optimizer=self._kernel,
            hyperparameters=self._hyperparameters,
            loss=loss,
            reg_over_weights=True,
            **options,
        )
        if self._state is not None:
            trainer.set_state(self._state)
            self._state = None
        self._bound = key, network, trainer
        return network, trainer

    def iteration_ends(self, samples_seen: int) -> None:
        """Follow the schedule after an epoch."""
        if self.schedule == "invscaling":
            self.learning_rate = float(self.learning_rate_init) / (samples_seen + 1) ** self.power_t

    def trigger_stopping(self, message: str, verbose: bool) -> bool:
        """Return whether to stop now that nothing improves; "adaptive" slows down first."""
        if self.schedule != "adaptive":
            if verbose:
                print(message + " Stopping.")
            return True
        if self.learning_rate <= _SMALLEST_RATE:
            if verbose:
                print(message + " Learning rate too small. Stopping.")
            return True
        self.learning_rate /= _DIVISOR
        if verbose:
            print(f"{message} Setting learning rate to {self.learning_rate:f}")
        return False

    def _keep(self) -> None:
        """Take the state out of the trainer, which then is gone."""
        if self._bound is not None:
            self._state = self._bound[2].state()
            self._bound = None

    def __getstate__(self) -> dict[str, Any]:
        bound = self._bound
        state = self._state if bound is None else bound[2].state()
        return {**self.__dict__, "_bound": None, "_state": state}
