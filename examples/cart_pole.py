"""A training loop of one's own: policy gradients balance a pole on a cart.

`network.forward` and `network.gradients` are the two halves of a step; what comes between them,
here REINFORCE (Williams 1992), is the user's. Needs nothing but twolayer-ext, and half a minute:

    python examples/cart_pole.py
"""

from __future__ import annotations

import numpy as np

import twolayer_ext as tl

STEPS = 200  # to balance it for


def move(state: np.ndarray, push: np.ndarray) -> np.ndarray:
    """Return the states (N, 4) after 0.02 s with a push of ±10 N: Barto, Sutton, Anderson 1983."""
    _, speed, angle, spin = state.T
    sine, cosine = np.sin(angle), np.cos(angle)
    force = (10 * push + 0.05 * spin**2 * sine) / 1.1
    turn = (9.8 * sine - cosine * force) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
    change = np.stack([speed, force - 0.05 * turn * cosine / 1.1, spin, turn], axis=1)
    return state + 0.02 * change


def play(network: tl.Network, rng: np.random.Generator, poles: int) -> list[tuple]:
    """Let so many poles fall or stand; return (states, pushes right, which still stood) a step."""
    state = rng.uniform(-0.05, 0.05, (poles, 4))
    standing, played = np.ones(poles, bool), []
    for _ in range(STEPS):
        right = rng.random(poles) < 1 / (1 + np.exp(-network.forward(state, threads=1)[:, 0]))
        played.append((state, right, standing))
        state = np.where(standing[:, np.newaxis], move(state, np.where(right, 1.0, -1.0)), state)
        standing = standing & (np.abs(state[:, 0]) < 2.4) & (np.abs(state[:, 2]) < 0.21)
    return played


def train(rounds: int = 60, poles: int = 32, seed: int = 0) -> tuple[tl.Network, list[float]]:
    """Return the network, and the mean number of steps that poles stood in each round."""
    rng = np.random.default_rng(seed)
    network = tl.Network((4, 32, 1), activation="tanh", loss="logistic", seed=seed)
    optimizer = tl.Optimizer(network, "adam", learning_rate=0.01)
    lengths = []
    for _ in range(rounds):
        played = play(network, rng, poles)
        stood = np.array([standing for _, _, standing in played])  # (steps, poles)
        lengths.append(float(stood.sum(axis=0).mean()))
        left = stood[::-1].cumsum(axis=0)[::-1]  # steps that a pole will still stand
        gain = left - left.sum(axis=1, keepdims=True) / stood.sum(axis=1, keepdims=True).clip(1)
        x = np.concatenate([state for state, _, _ in played])[stood.ravel()]
        right = np.concatenate([right for _, right, _ in played])[stood.ravel()]
        gain = gain[stood] / (gain[stood].std() + 1e-9)
        probability = 1 / (1 + np.exp(-network.forward(x)[:, 0]))
        gradient = (probability - right) * gain / len(x)  # of -gain log p(what was done)
        optimizer.step(network.gradients(x, gradient[:, np.newaxis]))
    return network, lengths


if __name__ == "__main__":
    for number, length in enumerate(train()[1], start=1):
        print(f"round {number:2d}: {length:6.1f} of {STEPS} steps")
