"""What stands between a hidden layer's product and the next layer: the twin of between.hpp.

Batch normalisation (Ioffe and Szegedy 2015), activation, dropout (Srivastava et al. 2014).
"""

from __future__ import annotations

import numpy as np

from twolayer_ext.activations import ACTIVATIONS
from twolayer_ext.checks import Array

BATCH_NORM_EPSILON = 1e-5  # added to the variance
BATCH_NORM_MOMENTUM = 0.1  # a batch's share of the new running statistics


class Between:
    """One hidden layer's part of a step: forward, then backward.

    Parameters
    ----------
    activation : str
    mask : ndarray, shape (N, H), optional
        Of dropout: 0, or 1 over the share kept.
    gamma, beta : ndarray, shape (H,), optional
        Of batch normalisation.
    """

    def __init__(
        self,
        activation: str,
        *,
        mask: Array | None = None,
        gamma: Array | None = None,
        beta: Array | None = None,
    ) -> None:
        self.activation = activation
        self.mask = mask
        self.gamma, self.beta = gamma, beta

    def forward(self, z: Array) -> Array:
        """Turn pre-activations (N, H) into what the next layer reads."""
        if self.gamma is not None:
            self.mean = z.mean(axis=0)
            self.variance = z.var(axis=0)
            self.deviation = np.sqrt(self.variance + BATCH_NORM_EPSILON)
            self.normalized = (z - self.mean) / self.deviation
            z = self.gamma * self.normalized + self.beta
        self.z = z
        self.activated = ACTIVATIONS[self.activation].value(z)
        return self.activated if self.mask is None else self.activated * self.mask

    def backward(self, gradient: Array) -> Array:
        """Turn the gradient of what the next layer read into that of the pre-activations."""
        if self.mask is not None:
            gradient = gradient * self.mask
        gradient = gradient * ACTIVATIONS[self.activation].derivative(self.z, self.activated)
        if self.gamma is None:
            return gradient
        self.dbeta = gradient.sum(axis=0)
        self.dgamma = (gradient * self.normalized).sum(axis=0)
        count = len(gradient)
        centred = count * gradient - self.dbeta - self.normalized * self.dgamma
        return np.asarray(self.gamma / self.deviation / count * centred)
