"""Bounded waiting for what may never answer, such as a file on a dead network mount."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, function: Callable[..., Result], *args: object) -> Result:
    """Call a function, but do not wait longer than so many seconds for it.

    Parameters
    ----------
    seconds : float
        The longest wait.
    function, *args
        The call. One that never ends goes on in a thread of its own, which does not keep the
        process alive.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    TimeoutError
        There is no answer yet.
    Exception
        What the function raised.

    Examples
    --------
    >>> within(1.0, abs, -2)
    2
    """
    answers: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()

    def call() -> None:
        try:
            answers.put((function(*args), None))
        except BaseException as error:  # noqa: BLE001 - raised again by the one who waits
            answers.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    try:
        result, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer for {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
