"""Arguments of every kind: taken as what they are, or refused in clear words."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from twolayer_ext import checks


@pytest.mark.parametrize("value", [None, {}, "text", {1, 2}, (i for i in "ab"), object()])
def test_what_is_no_array_is_refused(value):
    with pytest.raises(TypeError, match=f"^y: {type(value).__name__}; must be an array"):
        checks.as_array(value, "y")


@pytest.mark.parametrize("value", [True, 1.0, "1", None, np.float64(2), np.array([7, 8])])
def test_integer_refuses_other_types(value):
    with pytest.raises(TypeError, match=r"^n: "):
        checks.integer("n", value, minimum=0)


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1.0]])
def test_number_refuses_other_types(value):
    with pytest.raises(TypeError, match=r"^n: "):
        checks.number("n", value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.1, 1.0])
def test_number_refuses_values_out_of_bounds(value):
    with pytest.raises(ValueError, match="must be finite and at least 0 and below 1"):
        checks.number("n", value, minimum=0, below=1)


@pytest.mark.parametrize("digits", [400, 5000])
def test_numbers_of_many_digits_are_refused_in_a_line(digits):
    for value in (10**digits, -(10**digits)):
        with pytest.raises(ValueError, match=r"^n: .*must be finite") as caught:
            checks.number("n", value)
        assert len(str(caught.value)) < 300
        with pytest.raises(ValueError, match=r"^n: .*must be at (least 0|most 9)") as caught:
            checks.integer("n", value, minimum=0, maximum=9)
        assert len(str(caught.value)) < 300


def test_networks_beyond_any_memory():
    assert checks.layer_sizes((2**30, 2**29, 2)) == (2**30, 2**29, 2)
    with pytest.raises(ValueError, match=r"^layer_sizes: .*memory has addresses"):
        checks.layer_sizes((2**30, 2**30, 2))
    for sizes in ((10**30, 2), (2, 2**60, 2)):
        with pytest.raises(ValueError, match=r"^layer_sizes\[[01]\]: .*must be at most 2147483647"):
            checks.layer_sizes(sizes)


@pytest.mark.parametrize("name", ["a", "a4", "<f3", "f4,f4", "<", 4, {}])
def test_what_is_no_dtype_is_refused(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"^dtype: .*must be 'float32' or 'float64'"):
            checks.dtype_name(name)


def test_threads():
    assert checks.thread_count(None) >= 1
    assert checks.thread_count(np.int32(3)) == 3
    for threads, bound in ((0, "least 1"), (2**40, "most 4096"), (4097, "most 4096")):
        with pytest.raises(ValueError, match=f"threads: {threads}; must be at {bound}"):
            checks.thread_count(threads)
    with pytest.raises(TypeError, match="threads"):
        checks.thread_count("2")
