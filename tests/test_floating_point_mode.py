"""How others in the process let numbers be rounded changes no bit, and stays as they said."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import sys

import pytest

from python_targets import run_python, supported_targets

# Offset of the control register in glibc's fenv_t; the bits that flush subnormals; the value of
# FE_UPWARD.
REGISTERS = {"x86_64": (28, 0x8040, 0x800), "aarch64": (0, 1 << 24, 0x400000)}

SCRIPT = """
import ctypes, ctypes.util, hashlib, sys
import numpy as np
import twolayer_ext as tl

offset, flush, upward = map(int, sys.argv[2:])
libm = ctypes.CDLL(ctypes.util.find_library("m"))

def register(value=None):
    environment = (ctypes.c_char * 64)()
    assert libm.fegetenv(environment) == 0
    found = ctypes.c_uint32.from_buffer(environment, offset)
    if value is not None:
        found.value = value
        assert libm.fesetenv(environment) == 0
    return found.value

tiny = np.finfo("float32").tiny
rng = np.random.default_rng(0)
x = (rng.normal(size=(400, 300)) * tiny / 4).astype("float32")
y = rng.integers(0, 10, 400)
# What Python computes follows the mode: so nothing is drawn, and the rate is the same all along.
options = dict(epochs=1, batch_size=200, learning_rate=0.1, learning_rate_decay=1.0,
               dropout=0.2, clip_norm=1.0, progress=False)
before = register()
weights = [(rng.normal(size=s).astype("float32"), np.zeros(s[1], "float32"))
           for s in ((300, 200), (200, 10))]
network = tl.Network((300, 200, 10), normalize=(0.0, float(tiny)))
network.set_parameters(weights)
gradients = [(np.full_like(w, tiny / 8), np.full_like(b, tiny / 8)) for w, b in weights]
optimizer = tl.Optimizer(network, "sgd")
{"flush": lambda: register(before | flush), "up": lambda: libm.fesetround(upward),
 "as it is": lambda: None}[sys.argv[1]]()
changed = register()
digest = hashlib.sha256()
network.set_parameters([(w * 0, b) for w, b in weights])
optimizer.step(gradients, learning_rate=1.0)
digest.update(network.parameters[0][0].tobytes())
network.set_parameters(weights)
mask = 0xFFC0 if offset else 0xFFFFFFFF  # without the flags of what has happened
for threads in (2, 1):  # the helper is started in this mode
    network.set_parameters(weights)
    trained = tl.train(x, y, network=network, threads=threads, **options).network
    loss, gradient = network.loss_and_gradients(x, y, threads=threads)
    for array in (*trained.parameters[0], *gradient[0], trained.forward(x, threads=threads),
                  np.array([loss, *trained.evaluate(x, y, threads=threads)])):
        digest.update(np.ascontiguousarray(array).tobytes())
    assert register() & mask == changed & mask, "the mode was not put back"
register(before)
print(digest.hexdigest())
"""

pytestmark = pytest.mark.skipif(
    platform.machine() not in REGISTERS
    or sys.platform != "linux"
    or not ctypes.util.find_library("m"),
    reason="the C library's fenv_t is another here",
)


def run(mode, isa):
    numbers = map(str, REGISTERS[platform.machine()])
    done = run_python("-c", SCRIPT, mode, *numbers, isa=isa)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("mode", ["flush", "up"])
def test_the_bits_do_not_follow_the_callers_mode(mode):
    for isa in supported_targets():
        assert run(mode, isa) == run("as it is", isa)


@pytest.mark.parametrize("flushed", [True, False])
def test_with_torch(flushed):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    script = f"""
import torch, numpy as np, twolayer_ext as tl
tiny = float(np.finfo("float32").tiny)
network = tl.Network((1, 1), loss="squared_error", normalize=(0.0, tiny))
network.set_parameters([([[1.0]], [0.0])])
x = np.array([[tiny / 4]], "float32")
if {flushed} and not torch.set_flush_denormal(True):
    raise SystemExit("0.25")  # not to be had here
found = network.forward(x)[0, 0]
half = float(torch.tensor([tiny]) / 2)
torch.set_flush_denormal(False)
assert (half == 0) == {flushed}
print(found)
"""
    done = run_python("-c", script)
    assert (done.stdout or done.stderr).strip() == "0.25", done.stderr
