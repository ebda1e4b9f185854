"""A run as its user sees it. The asynchronous twins are in `aio`."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

from .agent import Run
from .errors import StateError
from .events import Event, TextDelta
from .messages import Reply

__all__ = ["Stream"]

T = TypeVar("T")


class Stream(Generic[T]):
    """A run under way. Iterate for pieces of text, or `events()` for everything; both draw from the same run.

    As a context manager it stops the work when it is left early. Threads: one, except for `cancel`.
    """

    def __init__(self, run: Run[T]) -> None:
        self._run = run
        self._events = run.events()

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Generator[str, None, None]:
        for event in self._events:
            if isinstance(event, TextDelta):
                yield event.text

    def events(self) -> Generator[Event, None, None]:
        """Everything that happens, `Done` last."""
        return self._events

    def cancel(self) -> None:
        """End the run soon, with stop reason "cancelled". Any thread."""
        self._run.cancel.cancel()

    def close(self) -> None:
        """End the run now. Nothing to do when it is over."""
        self._events.close()
        close_unstarted(self._run)

    @property
    def reply(self) -> Reply[T]:
        """What the run came to.

        Raises: StateError while it is under way.
        """
        return reply_of(self._run)


def reply_of(run: Run[T]) -> Reply[T]:
    if run.reply is None:
        raise StateError("the run is not over: iterate the stream to its end, or leave its context, first")
    return run.reply


def close_unstarted(run: Run[Any]) -> None:
    """A run that was left before its first event has a reply too."""
    if run.reply is None:
        run.cancel.cancel()
        run.fold()
