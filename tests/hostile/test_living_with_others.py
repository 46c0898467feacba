"""Forks, threads, callbacks, signals and the interpreter's end, each in a process of its own."""

from __future__ import annotations

import os

import pytest

from hostile.processes import play

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
def test_a_child_of_a_callback_finishes_the_training_and_so_does_the_parent():
    play("""
wanted = bits(trained())
children = []
def fork(event):
    if event.epoch == 1:
        children.append(os.fork())
got = bits(trained(callbacks=[fork]))
if children == [0]:
    os._exit(0 if got == wanted else 2)
assert got == wanted
assert wait_for(children[0]) == 0
""")


@needs_fork
def test_a_child_forked_while_another_thread_trains():
    play("""
wanted = bits(trained())
running = threading.Event()
stop = False
def work():
    while not stop:
        trained(epochs=20, callbacks=[lambda event: running.set() or stop])
thread = threading.Thread(target=work)
thread.start()
running.wait()
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if bits(trained()) == wanted else 2)
    status = wait_for(pid)
    assert status == 0, status
stop = True
thread.join()
""")


@needs_fork
def test_children_of_children():
    play("""
wanted = bits(trained())
depth = 0
for depth in range(4):
    pid = os.fork()
    if pid:
        status = wait_for(pid)
        os._exit(status if bits(trained()) == wanted else 2)
    if bits(trained()) != wanted:
        os._exit(3)
os._exit(0)
""")


def test_pools_of_processes_of_every_kind():
    play("""
import concurrent.futures, multiprocessing
if __name__ == "__main__":
    wanted = bits(trained())
    for kind in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(kind)
        with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
            futures = [pool.submit(tl.train, x, y, **options) for _ in range(3)]
            assert all(bits(future.result(60).network) == wanted for future in futures), kind
""")


def test_threads_of_python_get_the_results_of_one_alone():
    play("""
wanted = [bits(trained(seed=seed)) for seed in range(8)]
network = trained()
answers = network.predict_proba(x).tobytes()
failures = []
def work(seed):
    for _ in range(3):
        if bits(trained(seed=seed, threads=1 + seed % 3)) != wanted[seed]:
            failures.append(seed)
        if network.predict_proba(x).tobytes() != answers:
            failures.append("predict")
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failures, failures
""")


def test_a_network_is_trained_once_at_a_time():
    play("""
network = trained()
refused = []
def train_again(event):
    def try_it():
        try:
            tl.train(x, y, network=network, epochs=1, progress=False)
        except tl.NetworkBusyError as error:
            assert str(error).startswith("network: is being trained"), error
            refused.append(event.epoch)
    try_it()
    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    trained(epochs=1)                                        # others may be trained
    tl.train(x, y, network=copy.copy(network), epochs=1, progress=False)
tl.train(x, y, network=network, epochs=2, progress=False, callbacks=[train_again])
assert refused == [1, 1, 2, 2], refused
tl.train(x, y, network=network, epochs=1, progress=False)    # and it is free again
""")


def test_a_callback_that_raises_leaves_the_network_usable():
    play("""
class Stop(Exception): pass
def raises(event):
    raise Stop
network = tl.Network((300, 200, 10))
for _ in range(3):
    try:
        tl.train(x, y, network=network, epochs=2, progress=False, callbacks=[raises])
    except Stop:
        pass
    else:
        raise AssertionError("nothing was raised")
tl.train(x, y, network=network, epochs=1, progress=False)
network.predict(x)
assert bits(trained()) == bits(trained())
""")


def test_networks_are_read_while_they_are_trained():
    play("""
network = tl.Network((300, 200, 10))
done = threading.Event()
def read():
    while not done.is_set():
        assert np.isfinite(network.predict_proba(x)).all()
        network.parameters, network.evaluate(x, y)
readers = [threading.Thread(target=read) for _ in range(3)]
for thread in readers: thread.start()
tl.train(x, y, network=network, epochs=20, progress=False, threads=2)
done.set()
for thread in readers: thread.join()
alone = tl.Network((300, 200, 10))
tl.train(x, y, network=alone, epochs=20, progress=False, threads=2)
assert bits(network) == bits(alone)
""")


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "raise SystemExit"])
def test_the_interpreter_ends_while_a_daemon_trains(end):
    play(f"""
begun = threading.Event()
def work():
    trained(epochs=100_000, callbacks=[lambda event: begun.set()])
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
begun.wait()
{end}
""")


def test_the_interpreter_ends_with_trained_networks_in_reach():
    play("""
import atexit
kept = trained()
atexit.register(lambda: kept.predict(x))
class Last:
    def __del__(self):
        kept.predict(x)
last = Last()
""")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
def test_signals_reach_their_handlers_while_training():
    play("""
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
signal.signal(signal.SIGALRM, lambda *_: seen.append(2))
wanted = bits(trained(epochs=30))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.005)
threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
began = time.monotonic()
while 1 not in seen or seen.count(2) < 5:
    assert bits(trained(epochs=30)) == wanted
    assert time.monotonic() < began + 100
signal.setitimer(signal.ITIMER_REAL, 0)
""")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
def test_a_handler_that_raises_ends_the_training():
    play("""
class Alarm(Exception): pass
def ring(*_):
    raise Alarm
signal.signal(signal.SIGALRM, ring)
network = tl.Network((300, 200, 10))
for _ in range(3):
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        tl.train(x, y, network=network, epochs=1_000_000, progress=False, threads=2)
    except Alarm:
        pass
tl.train(x, y, network=network, epochs=1, progress=False)
""")


def test_training_in_a_thread_leaves_ctrl_c_to_the_main_thread():
    play("""
network = tl.Network((300, 200, 10))
ended = []
def work():
    tl.train(x, y, network=network, epochs=1_000_000, progress=False,
             callbacks=[lambda event: bool(ended)])
thread = threading.Thread(target=work)
thread.start()
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    time.sleep(100)
except KeyboardInterrupt:
    ended.append(True)
thread.join()
""")
