"""One thread of linear algebra within the block, and as many as before after it."""

import pytest

from spineseg_cli.core import one_thread


@pytest.mark.skipif(one_thread.thread_functions() is None, reason="NumPy comes without OpenBLAS")
def test_threads_are_as_before_after_the_block():
    get, _ = one_thread.thread_functions()
    before = get()
    with one_thread.one_blas_thread():
        assert get() == 1
    assert get() == before


def test_another_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(one_thread, "thread_functions", lambda: None)
    with one_thread.one_blas_thread():
        pass
