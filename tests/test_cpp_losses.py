"""Builds tests/cpp/test_losses.cpp for each target: formulas, NumPy's sums, same bits on all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cpp_programs import (
    INCLUDE,
    NO_COMPILER,
    ROOT,
    Machine,
    compile_with,
    emulated_aarch64,
    native,
    run_program,
    sources,
)

CPU_CANNOT_RUN_IT = 77
# Each target on the first machine that has it.
TARGETS: dict[str, Machine] = {}
for machine in filter(None, (native(), emulated_aarch64())):
    for name in sources(machine.processor).targets():
        TARGETS.setdefault(name, machine)
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not TARGETS, reason=NO_COMPILER),
]

KINDS = [
    "cross_entropy",
    "logistic",
    "squared_error",
    "absolute_error",
    "huber",
    "poisson",
    "quantile",
]
EXACT = {"squared_error", "absolute_error", "huber", "quantile"}  # without exp and log
OUTPUTS, PREDICTIONS, GRADIENT = range(3)  # what is left
PANEL = 32


@dataclass
class Case:
    """One call of the loss pass. Matrices are row-major here; the program gets panels."""

    kind: str
    leave: int
    outputs: np.ndarray  # (N, K)
    levels: int = 1
    labels: np.ndarray | None = None  # of all of x
    targets: np.ndarray | None = None  # (N, K / levels)
    rows: np.ndarray | None = None
    first_row: int = 0
    weights: np.ndarray | None = None  # of all of x
    parameters: np.ndarray | None = None  # (K,), as all below
    scale: np.ndarray | None = None
    shift: np.ndarray | None = None
    score_scale: np.ndarray | None = None
    smoothing: float = 0.0
    predictions: bool = True
    powers_of_two: bool = True  # all scales: an fma rounds as a product and a sum do
    left: np.ndarray = field(init=False)  # (N, padded K); what came back, as all below
    predicted: np.ndarray = field(init=False)
    losses: np.ndarray = field(init=False)
    scores: np.ndarray = field(init=False)

    @property
    def compared(self) -> bool:
        return self.labels is not None or self.targets is not None

    @property
    def of_batch(self) -> np.ndarray:
        """The batch's row numbers."""
        return self.rows if self.rows is not None else self.first_row + np.arange(len(self.outputs))

    @property
    def sum_of_weights(self) -> float:
        return len(self.outputs) if self.weights is None else self.weights[self.of_batch].sum()

    @property
    def shares(self) -> np.ndarray:
        weights = (
            np.ones(len(self.outputs)) if self.weights is None else self.weights[self.of_batch]
        )
        return (weights / self.sum_of_weights).astype(self.outputs.dtype)

    def pack(self) -> bytes:
        dtype, (samples, count) = self.outputs.dtype, self.outputs.shape
        rows_of_x = next((len(x) for x in (self.labels, self.weights) if x is not None), 0)
        flags = [
            x is not None
            for x in (
                self.labels,
                self.targets,
                self.rows,
                self.weights,
                self.parameters,
                self.scale,
                self.score_scale,
            )
        ]
        numbers = [dtype.itemsize, KINDS.index(self.kind), samples, count, self.levels, rows_of_x]
        numbers += [self.first_row, self.leave, *flags, self.predictions]
        parts = [np.array(numbers, np.int64), np.array([self.smoothing, self.sum_of_weights])]
        parts.append(panels(self.outputs))
        parts += [x for x in (self.labels,) if x is not None]
        parts += [panels(x) for x in (self.targets,) if x is not None]
        parts += [x for x in (self.rows, self.weights) if x is not None]
        for x in (self.parameters, self.shift, self.scale, self.score_scale):
            if x is not None:
                parts.append(panels(x[None, :]))
        return b"".join(part.tobytes() for part in parts)

    def take(self, data: bytes, offset: int) -> int:
        """Read what came back; returns where the next case's begins."""
        dtype, (samples, count) = self.outputs.dtype, self.outputs.shape
        width = padded(count)

        def values(size: int) -> np.ndarray:
            nonlocal offset
            result = np.frombuffer(data, dtype, size, offset)
            offset += result.nbytes
            return result

        left = values(samples * width).reshape(-1, samples, PANEL)
        self.left = left.transpose(1, 0, 2).reshape(samples, width)
        self.predicted = values(samples * count * self.predictions).reshape(-1, count)
        self.losses = values(samples * self.compared)
        self.scores = values(samples * self.compared)
        return offset


def padded(columns: int) -> int:
    return -(-columns // PANEL) * PANEL


def panels(matrix: np.ndarray) -> np.ndarray:
    """In panels, with rubbish in the padding."""
    rows, columns = matrix.shape
    whole = np.full((rows, padded(columns)), np.nan, matrix.dtype)
    whole[:, columns::2] = 1e30
    whole[:, :columns] = matrix
    return np.ascontiguousarray(whole.reshape(rows, -1, PANEL).transpose(1, 0, 2))


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(5)
    shapes = itertools.product((1, 2, 15, 17, 33), (1, 2, 3, 7, 8, 9, 33, 130))
    for (samples, count), kind, leave, dtype in itertools.product(
        shapes, KINDS, (OUTPUTS, PREDICTIONS, GRADIENT), (np.float32, np.float64)
    ):

        def real(low: float, high: float, *shape: int, dtype: type = dtype) -> np.ndarray:
            return rng.uniform(low, high, shape).astype(dtype)

        def heads() -> bool:
            return bool(rng.integers(2))

        case = Case(kind, leave, real(-4, 4, samples, count), predictions=heads())
        rows_of_x = samples + 5
        if heads():
            case.rows = rng.permutation(rows_of_x)[:samples]
        else:
            case.first_row = int(rng.integers(5))
        if heads():
            case.weights = rng.uniform(0, 2, rows_of_x)
        if kind in ("cross_entropy", "logistic"):
            case.smoothing = float(rng.choice([0, 0.125]))
            case.outputs *= dtype(rng.choice([1, 10]))
        if kind == "cross_entropy":
            case.labels = rng.integers(count, size=rows_of_x)
            if leave != GRADIENT and heads():
                case.labels = None
            yield case
            continue
        case.levels = int(rng.choice([d for d in (1, 2, 3, 5) if count % d == 0]))
        case.targets = real(-4, 4, samples, count // case.levels)
        if kind == "logistic":
            case.targets = (case.targets > 0).astype(dtype)
        elif kind == "poisson":
            case.targets = np.floor(case.targets + 4)
        else:
            case.targets[::3] = case.outputs[::3, :: case.levels]  # so that some errors are 0
            case.parameters = real(0.05, 0.95, count)
            if heads():
                case.powers_of_two = heads()
                powers = np.exp2(rng.integers(-2, 3, count)).astype(dtype)
                case.scale = powers if case.powers_of_two else real(0.3, 3, count)
                case.shift = real(-1, 1, count)
        if heads():
            case.score_scale = real(0.1, 1, count)
        if leave != GRADIENT and heads():
            case.targets = None
        yield case


# ---- what is right --------------------------------------------------------------------------


def value_and_slope(
    kind: str, z: np.ndarray, t: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of one output, in the dtype that comes."""
    d = z - t
    if kind == "logistic":
        logistic = 1 / (1 + np.exp(-z))
        return np.maximum(z, 0) - z * t + np.log1p(np.exp(-abs(z))), logistic - t
    if kind == "squared_error":
        return d * d, 2 * d
    if kind == "absolute_error":
        return abs(d), np.sign(d)
    if kind == "huber":
        a = abs(d)
        return np.where(a < p, d.dtype.type(0.5) * a * a, p * (a - p / 2)), np.clip(d, -p, p)
    if kind == "poisson":
        return np.exp(z) - t * z, np.exp(z) - t
    e = t - z
    return np.maximum(p * e, (p - 1) * e), np.where(e > 0, -p, np.where(e < 0, 1 - p, 0))


@dataclass
class Expected:
    predictions: np.ndarray
    losses: np.ndarray | None = None
    scores: np.ndarray | None = None
    gradient: np.ndarray | None = None


def of_cross_entropy(case: Case) -> Expected:
    z = case.outputs.astype(np.float64)
    samples, count = z.shape
    z = z - z.max(axis=1, keepdims=True)
    log_a = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    expected = Expected(np.exp(log_a))
    if case.labels is not None:
        y = case.labels[case.of_batch]
        q = np.full_like(z, case.smoothing / count)
        q[np.arange(samples), y] += 1 - case.smoothing
        expected.losses = -(q * log_a).sum(axis=1)
        expected.scores = (case.outputs.argmax(axis=1) == y).astype(np.float64)
        expected.gradient = (np.exp(log_a) - q) * case.shares[:, None]
    return expected


def of_elementwise(case: Case, dtype: type) -> Expected:
    """In float64, or with NumPy's operations in the case's own dtype."""

    def given(x: np.ndarray | None, otherwise: float) -> np.ndarray:
        return np.full(z.shape[1], otherwise, dtype) if x is None else x.astype(dtype)

    z = case.outputs.astype(dtype)
    count = z.shape[1]
    if case.scale is not None:
        z = given(case.scale, 1) * z + given(case.shift, 0)
    prediction = z
    if case.kind == "logistic":
        prediction = 1 / (1 + np.exp(-z))
    elif case.kind == "poisson":
        prediction = np.exp(z)
    expected = Expected(prediction)
    if case.targets is not None:
        t = np.repeat(case.targets.astype(dtype), case.levels, axis=1)
        if case.kind == "logistic":
            expected.scores = ((z > 0) == (t > 0.5)).all(axis=1).astype(dtype)
            t = t * (1 - case.smoothing) + case.smoothing / 2
        else:
            each = given(case.score_scale, 1 / count)
            expected.scores = (each * (t - prediction) ** 2).sum(axis=1)
        value, slope = value_and_slope(case.kind, z, t, given(case.parameters, 0))
        expected.losses = value.mean(axis=1)
        gradient = slope / count
        if case.scale is not None:
            gradient = gradient * case.scale
        expected.gradient = gradient * case.shares[:, None]
    return expected


# ---- the programs ---------------------------------------------------------------------------


def build(name: str, folder: Path) -> Path:
    machine = TARGETS[name]
    of_all = sources(machine.processor)
    program = folder / f"test_losses_{name}"
    define = f'-DTARGET_HEADER="kernels/targets/{name}.hpp"'
    source = str(ROOT / "tests" / "cpp" / "test_losses.cpp")
    flags = [*of_all.flags, "-Werror", *of_all.targets()[name], *machine.link_flags]
    compile_with(machine, *flags, define, INCLUDE, source, "-o", str(program))
    return program


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cpp_losses")
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(TARGETS, pool.map(lambda name: build(name, folder), TARGETS), strict=True))


def run(name: str, program: Path, file: Path) -> bytes | None:
    """The results of the cases in a file; None where this CPU lacks the target's instructions."""
    results = file.with_name(f"{file.stem}_{name}")
    done = run_program(TARGETS[name], program, "run", str(file), str(results))
    if done.returncode == CPU_CANNOT_RUN_IT:
        return None
    assert done.returncode == 0, f"{name}: exit {done.returncode}\n{done.stderr}"
    return results.read_bytes()


def run_cases(some: list[Case], program: Path, folder: Path) -> list[Case]:
    """Cases with the portable target's results."""
    file = folder / "cases"
    file.write_bytes(b"".join(case.pack() for case in some))
    data = run("portable", program, file)
    assert data is not None
    offset = 0
    for case in some:
        offset = case.take(data, offset)
    assert offset == len(data)
    return some


@pytest.fixture(scope="module")
def ran(programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return run_cases(list(cases()), programs["portable"], tmp_path_factory.mktemp("ran"))


def test_names(programs: dict[str, Path]) -> None:
    done = run_program(TARGETS["portable"], programs["portable"], "names")
    assert done.stdout.splitlines() == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_formulas(kind: str, ran: list[Case]) -> None:
    for case in ran:
        if case.kind != kind:
            continue
        if kind == "cross_entropy":
            expected = of_cross_entropy(case)
        else:
            expected = of_elementwise(case, np.float64)
        count = case.outputs.shape[1]
        # A sum's error is at most its length in units of its terms; a term's is a few of the
        # largest number on the way to it: an output, a prediction, a target, squared.
        largest = 1 + abs(expected.predictions).max() + abs(case.outputs).max() + 8
        tolerance = (count + 16) * np.finfo(case.outputs.dtype).eps * largest
        close = {"rtol": 0, "atol": tolerance}
        if case.predictions:
            np.testing.assert_allclose(case.predicted, expected.predictions, **close)
        if case.compared:
            assert expected.scores is not None
            squared = {"rtol": 0, "atol": tolerance * largest}
            np.testing.assert_allclose(case.losses, expected.losses, **squared)
            if kind in ("cross_entropy", "logistic"):
                np.testing.assert_array_equal(case.scores, expected.scores)
            else:
                score_bound = {"rtol": 0, "atol": tolerance * largest * count}
                np.testing.assert_allclose(case.scores, expected.scores, **score_bound)
        left = case.left[:, :count]
        if case.leave == OUTPUTS:
            np.testing.assert_array_equal(left, case.outputs)
        elif case.leave == PREDICTIONS:
            np.testing.assert_allclose(left, expected.predictions, **close)
            if case.predictions:
                np.testing.assert_array_equal(left, case.predicted)
        else:
            np.testing.assert_allclose(left, expected.gradient, **close)
        if case.leave != OUTPUTS:
            assert not case.left[:, count:].any()


def assert_same_bits(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


def test_numpy_gives_the_same_bits(ran: list[Case]) -> None:
    compared = 0
    for case in ran:
        if case.kind not in EXACT or case.targets is None or not case.powers_of_two:
            continue
        count = case.outputs.shape[1]
        expected = of_elementwise(case, case.outputs.dtype.type)
        assert expected.gradient is not None
        assert expected.gradient.dtype == case.outputs.dtype
        if case.leave == GRADIENT:
            assert_same_bits(case.left[:, :count], expected.gradient)
        if count <= 128:  # where NumPy begins to sum by halves
            assert_same_bits(case.losses, expected.losses)
            assert_same_bits(case.scores, expected.scores)
            compared += 1
    assert compared > 300


def test_outputs_are_scaled_by_one_fma(ran: list[Case]) -> None:
    compared = 0
    for case in ran:
        if case.powers_of_two or case.outputs.dtype != np.float32 or not case.predictions:
            continue
        # The product is exact in float64; that the sum is rounded twice shows once in 2^29 times.
        expected = of_elementwise(case, np.float64).predictions.astype(np.float32)
        np.testing.assert_array_equal(case.predicted, expected)
        compared += 1
    assert compared > 50


def test_same_bits_whatever_is_left(programs: dict[str, Path], tmp_path: Path) -> None:
    some = []
    for case in cases():
        if case.compared and case.outputs.shape == (17, 9):
            for leave in (OUTPUTS, PREDICTIONS, GRADIENT):
                values = {
                    name: getattr(case, name)
                    for name in Case.__dataclass_fields__
                    if name not in ("left", "predicted", "losses", "scores")
                }
                some.append(Case(**values | {"leave": leave, "predictions": True}))
    run_cases(some, programs["portable"], tmp_path)
    assert len(some) >= 3 * len(KINDS)
    for first, *others in zip(some[::3], some[1::3], some[2::3], strict=True):
        for other in others:
            for name in ("predicted", "losses", "scores"):
                np.testing.assert_array_equal(getattr(first, name), getattr(other, name))


def test_what_is_no_number_reaches_the_loss(programs: dict[str, Path], tmp_path: Path) -> None:
    some = []
    for kind, dtype in itertools.product(KINDS, (np.float32, np.float64)):
        for place in (0, 1, 4, 8):
            outputs = np.ones((5, 9), dtype)
            outputs[3, place] = np.nan
            case = Case(kind, GRADIENT, outputs, parameters=np.full(9, 0.5, dtype))
            if kind == "cross_entropy":
                case.labels = np.zeros(5, np.int64)
            else:
                case.targets = np.zeros((5, 9), dtype)
            some.append(case)
    for case in run_cases(some, programs["portable"], tmp_path):
        assert np.isnan(case.losses).tolist() == [False, False, False, True, False], case.kind
        assert np.isnan(case.left[3]).any(), case.kind
        assert not np.isnan(np.delete(case.left, 3, axis=0)).any(), case.kind


def test_poisson_overflows_to_infinity(programs: dict[str, Path], tmp_path: Path) -> None:
    outputs = np.array([[1000.0, 0.0], [0.0, 0.0]])
    some = [
        Case("poisson", GRADIENT, outputs.astype(dtype), targets=np.ones((2, 2), dtype))
        for dtype in (np.float32, np.float64)
    ]
    for case in run_cases(some, programs["portable"], tmp_path):
        assert case.losses.tolist() == [np.inf, 1]


def test_no_weight_at_all_leaves_no_gradient(programs: dict[str, Path], tmp_path: Path) -> None:
    outputs, targets = np.ones((3, 2)), np.zeros((3, 2))
    case = Case("squared_error", GRADIENT, outputs, targets=targets, weights=np.zeros(3))
    with np.errstate(invalid="ignore"):
        run_cases([case], programs["portable"], tmp_path)
    assert not case.left.any()
    assert case.losses.tolist() == [1, 1, 1]


def test_same_bits_on_every_target(programs: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "cases"
    file.write_bytes(b"".join(case.pack() for case in cases()))
    reference = run("portable", programs["portable"], file)
    for name, program in programs.items():
        data = run(name, program, file)
        assert data is None or data == reference, name
