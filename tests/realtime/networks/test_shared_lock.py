"""Many at the same time, or one alone."""

from __future__ import annotations

import threading

import pytest

from realtime.networks.shared_lock import SharedLock

WAIT_S = 5.0


def holding(lock: SharedLock, alone: bool, entered: threading.Event, leave: threading.Event) -> threading.Thread:
    def hold() -> None:
        with lock.alone() if alone else lock.shared():
            entered.set()
            leave.wait(WAIT_S)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    return thread


def test_many_share_it() -> None:
    lock, leave = SharedLock(), threading.Event()
    entered = [threading.Event() for _ in range(3)]
    threads = [holding(lock, False, event, leave) for event in entered]
    assert all(event.wait(WAIT_S) for event in entered)
    leave.set()
    for thread in threads:
        thread.join(WAIT_S)


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_one_alone_and_anyone_else_wait_for_each_other(first: bool, second: bool) -> None:
    lock, leave = SharedLock(), threading.Event()
    entered = [threading.Event() for _ in range(2)]
    one = holding(lock, first, entered[0], leave)
    assert entered[0].wait(WAIT_S)
    other = holding(lock, second, entered[1], leave)
    assert not entered[1].wait(0.05)
    leave.set()
    assert entered[1].wait(WAIT_S)
    for thread in (one, other):
        thread.join(WAIT_S)


def test_who_wants_to_be_alone_is_not_kept_waiting_by_those_that_come_after() -> None:
    lock = SharedLock()
    leave = [threading.Event() for _ in range(3)]
    entered = [threading.Event() for _ in range(3)]
    threads = [holding(lock, False, entered[0], leave[0])]
    assert entered[0].wait(WAIT_S)
    threads.append(holding(lock, True, entered[1], leave[1]))
    assert not entered[1].wait(0.05)
    threads.append(holding(lock, False, entered[2], leave[2]))
    assert not entered[2].wait(0.05)  # though the lock is only shared
    leave[0].set()
    assert entered[1].wait(WAIT_S)
    assert not entered[2].is_set()
    for event in leave[1:]:
        event.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert entered[2].is_set()


def test_an_error_inside_lets_it_go() -> None:
    lock = SharedLock()
    for way in (lock.shared, lock.alone):
        with pytest.raises(ValueError, match="inside"), way():
            raise ValueError("inside")
    with lock.alone():
        pass
