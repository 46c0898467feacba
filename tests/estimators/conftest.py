from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread_for_the_blas() -> Iterator[None]:
    """Let scikit-learn's products wait for nobody: on a busy machine they take 50 times as long."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        yield
