"""Is a contender right? Its loss after 20 steps against the float64 twin's, before it is timed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twolayer_ext import reference
from twolayer_ext.benchmark.cases import Workload
from twolayer_ext.benchmark.contenders import Session
from twolayer_ext.checks import Array, Parameters
from twolayer_ext.engine import Engine, RowNumbers, Techniques

STEPS = 20
JUDGED = 2000  # samples at most that the loss is taken of


@dataclass(frozen=True)
class Check:
    """The twin's loss, the contender's, and whether they agree.

    Both are computed by the float64 twin. In training: from the contender's parameters after 20
    steps. In prediction: the mean of -log p over the classes that were chosen, which is smallest
    if each is the most probable one.
    """

    expected: float
    loss: float
    tolerance: float

    @property
    def deviation(self) -> float:
        """Return the difference, relative to the expected loss."""
        return abs(self.loss - self.expected) / abs(self.expected)

    @property
    def passed(self) -> bool:
        """Tell whether they agree; never with a loss that is not a number."""
        return self.deviation <= self.tolerance


class Judge:
    """The float64 twin on one workload."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        case = workload.case
        self.network = reference.Network(
            case.layer_sizes, normalize=(workload.shift, workload.scale)
        )
        self.network.set_parameters(workload.parameters)
        if case.task == "predict":
            self.probabilities = self.network.predict_proba(workload.x)
            self.expected = self._loss_of_classes(self.probabilities.argmax(axis=1))
            return
        self.rows: RowNumbers = workload.order[: STEPS * case.batch_size]
        engine: Engine = self.network.engine
        trainer = engine.trainer(
            self.network.core,
            optimizer=case.own_optimizer,
            loss=engine.loss(self.network.loss, case.layer_sizes[-1], None),
            techniques=Techniques(),
            reg=0.0,
            batch_size=case.batch_size,
            threads=1,
            compute_dtype=None,
        )
        losses = np.empty(len(self.rows) // case.batch_size)
        rates = np.full(len(losses), case.learning_rate)
        trainer.run(workload.x, workload.y, self.rows, rates, losses)
        self.expected = self._loss(self.network.parameters)

    def check(self, session: Session, tolerance: float) -> Check:
        """Let the session work from the initial parameters on."""
        session.reset()
        with session.ready():
            if self.workload.case.task == "predict":
                loss = self._loss_of_classes(session.predict())
            else:
                session.train(self.rows, 1)
                loss = self._loss(session.parameters())
        return Check(self.expected, loss, tolerance)

    def _loss(self, parameters: Parameters) -> float:
        """Form (1) with these parameters on rows of the first batches; nan if one is not finite."""
        if not all(np.isfinite(w).all() and np.isfinite(b).all() for w, b in parameters):
            return float("nan")
        self.network.set_parameters(parameters)
        few = np.sort(self.rows[:JUDGED])
        loss, _ = self.network.evaluate(self.workload.x[few], self.workload.y[few])
        return loss

    def _loss_of_classes(self, classes: Array) -> float:
        chosen = self.probabilities[np.arange(len(self.probabilities)), classes]
        return -float(np.log(chosen).mean())
