"""Work in threads, in order, a few pieces ahead."""

from collections.abc import Generator
from contextlib import closing
from threading import Event, get_ident

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tasks.io.parallel import parallel_map, read_ahead


def blas_threads() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def numbers(n: int, taken: list[int]) -> Generator[int, None, None]:
    with threadpool_limits(1, "blas"):
        for number in range(n):
            taken.append(number)
            yield number


def test_results_come_in_order_from_other_threads_with_blas_held_to_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    first_may_end = Event()

    def work(number: int) -> tuple[int, bool]:
        if number == 0:
            assert first_may_end.wait(60)
        first_may_end.set()
        return number, get_ident() != mine and blas_threads() == {1}

    mine, before = get_ident(), blas_threads()
    pieces = numbers(9, [])
    assert list(parallel_map(work, pieces)) == [(number, True) for number in range(9)]
    assert blas_threads() == before


def test_few_pieces_are_taken_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    taken: list[int] = []
    with closing(parallel_map(str, numbers(100, taken))) as results:
        assert next(results) == "0"
        assert taken == [0, 1, 2]
        assert next(results) == "1"
        assert taken == [0, 1, 2, 3]


def test_an_error_reaches_the_caller_and_blas_has_its_threads_back() -> None:
    def work(number: int) -> int:
        return 1 // (3 - number)

    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        list(parallel_map(work, numbers(100, [])))
    assert blas_threads() == before


def test_one_piece_is_made_beside_in_another_thread() -> None:
    made, asked = Event(), []

    def pieces() -> Generator[tuple[int, int], None, None]:
        try:
            for number in range(1, 100):
                asked.append(number)
                if number == 2:
                    made.set()
                yield number, get_ident()
        finally:
            asked.append(0)

    with closing(read_ahead(pieces())) as results:
        number, maker = next(results)
        assert made.wait(60), "the second while the first is used"
    assert (number, asked) == (1, [1, 2, 0])
    assert maker != get_ident()
    assert [number for number, _ in read_ahead(pieces())] == list(range(1, 100))


def test_an_error_of_what_is_made_beside_reaches_the_caller() -> None:
    def pieces() -> Generator[int, None, None]:
        yield 1
        raise ValueError("no more")

    results = read_ahead(pieces())
    assert next(results) == 1
    with pytest.raises(ValueError, match="no more"):
        next(results)
