"""What a training step should take on many cores, on paper.

    python benchmarks/many_cores.py

prints, for nets of ``twolayer bench``, how many times as fast as one thread a team of 2 to 64 is
expected to be, and what the rest of the time goes to. It is a model, not a measurement: work,
bytes and waits of each phase as docs/design.md and the code have them, with figures for the
machine that stand below and can be changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

PANEL = 32  # columns
TILE = 14  # rows
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Machine:
    """Seconds, bytes and operations a second; about a Zen 4 server's."""

    peak: float = 110e9  # multiply-adds' operations of a core, as far as kernels reach it
    element: float = 1e9  # elements a core reads, changes and writes elsewhere than in products
    domain: int = 8  # cores that share a third-level cache
    cache: float = 32e6  # of such a domain
    near: float = 60e-9  # to get a cache line from a core of the same domain
    far: float = 150e-9  # and of another
    link: float = 50e9  # bytes a second into a domain, from others or from memory
    memory: float = 200e9  # of all domains together


@dataclass(frozen=True)
class Net:
    name: str
    sizes: tuple[int, ...]
    batch: int
    state: int  # numbers that the optimizer keeps of a parameter
    item: int = 1  # bytes of an element of x


NETS = (
    Net("3072-512-10, batch 350, SGD", (3072, 512, 10), 350, 0),
    Net("3072-50-10, batch 200, SGD", (3072, 50, 10), 200, 0),
    Net("3072-128-256-10, batch 200, Adam", (3072, 128, 256, 10), 200, 2),
    Net("3072-2048-2048-10, batch 512, Adam", (3072, 2048, 2048, 10), 512, 2),
    Net("100-256-128-10, batch 256, Adam", (100, 256, 128, 10), 256, 2),
)
THREADS = (1, 2, 4, 8, 16, 32, 64)
GRAIN = 2e-6  # seconds: less is not worth handing to another member


@dataclass
class Time:
    """Seconds of a step, by what they go to."""

    work: float = 0.0
    uneven: float = 0.0  # until the member with the most has done it
    waits: float = 0.0
    bytes: float = 0.0

    @property
    def total(self) -> float:
        return self.work + self.uneven + self.waits + self.bytes


def step(net: Net, threads: int, m: Machine) -> Time:
    """Add up the phases: rows, a product a layer, loss, a product a layer but the first, update."""
    time = Time()
    domains = math.ceil(threads / m.domain)
    rows = net.batch

    def phase(seconds: float, pieces: int, moved: float) -> None:
        """`moved`: bytes that each domain has to get from others, where there are several."""
        pieces = max(1, min(pieces, int(seconds / GRAIN)))
        members = min(threads, pieces)
        share = math.ceil(pieces / members) / pieces
        time.work += seconds / threads
        time.uneven += seconds * share - seconds / threads
        if members > 1:
            # To see the phase opened, and then to report: each member gets the counter's line in
            # its turn, and those of other domains from farther away.
            others = max(0, members - m.domain)
            time.waits += 2 * m.far + (members - others) * m.near + others * m.far
        if domains > 1:
            time.bytes += moved / m.link

    layers = list(pairwise(net.sizes))
    panels = [math.ceil(columns / PANEL) for columns in net.sizes]
    groups = math.ceil(rows / TILE)
    x = rows * net.sizes[0]
    phase(x / 4 / m.element, panels[0], x * net.item / domains)
    for layer, (inputs, outputs) in enumerate(layers):
        operations = 2 * rows * inputs * outputs
        full = panels[layer + 1] * PANEL / outputs  # columns are padded to panels
        # All rows' inputs are read in every domain that has a panel; weights by the owner alone.
        moved = FLOAT * (rows * inputs + inputs * outputs / domains)
        phase(operations * min(full, 2.0) / m.peak, panels[layer + 1] * groups, moved)
    phase(rows * net.sizes[-1] * 4 / m.element, groups, FLOAT * rows * net.sizes[-1] / domains)
    for layer, (inputs, outputs) in list(enumerate(layers))[:0:-1]:
        moved = FLOAT * (rows * outputs + inputs * outputs / domains)
        phase(2 * rows * inputs * outputs / m.peak, panels[layer] * groups, moved)
    parameters = sum(inputs * outputs for inputs, outputs in layers)
    seconds = 2 * rows * parameters / m.peak + parameters * (1 + net.state) / m.element / 8
    blocks = sum(panels[i] * panels[i + 1] for i in range(len(layers)))
    # An owner's columns of the batch, all of its gradients.
    moved = FLOAT * rows * (sum(net.sizes[:-1]) / domains + sum(net.sizes[1:]))
    phase(seconds, blocks, moved)
    held = FLOAT * parameters * (1 + net.state)
    if held > domains * m.cache / 2:  # read and written once a step
        time.bytes += 2 * held / min(m.memory, domains * m.link)
    return time


def main() -> None:
    machine = Machine()
    for net in NETS:
        print(f"\n{net.name}\n  threads   times     work   uneven    waits    bytes   (µs a step)")
        alone = step(net, 1, machine).total
        for threads in THREADS:
            t = step(net, threads, machine)
            parts = "".join(f"{1e6 * part:9.1f}" for part in (t.work, t.uneven, t.waits, t.bytes))
            print(f"  {threads:7}{alone / t.total:8.1f}{parts}")


if __name__ == "__main__":
    main()
