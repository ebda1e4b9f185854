"""The asynchronous twins: a thread does the synchronous run and hands what comes of it to the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Generic, TypeVar

from .agent import Run
from .events import Event, TextDelta
from .messages import Reply
from .stream import close_unstarted, reply_of

__all__ = ["AsyncStream", "arun"]

T = TypeVar("T")

_AHEAD_MAX = 1024  # events that the thread may be ahead of the consumer
_GRACE_S = 1.0  # how long a cancelled task waits for its thread, which needs one engine step to notice


async def arun(run: Run[T]) -> Reply[T]:
    """The run's reply, made by a thread of its own."""
    loop = asyncio.get_running_loop()
    run.loop = loop
    result: asyncio.Future[Reply[T]] = loop.create_future()
    ended = asyncio.Event()

    def settle(reply: Reply[T] | None, error: BaseException | None) -> None:
        ended.set()
        if result.done():
            return
        if reply is not None:
            result.set_result(reply)
        else:
            result.set_exception(_for_future(error))

    def work() -> None:
        reply: Reply[T] | None = None
        failure: BaseException | None = None
        try:
            reply = run.fold()
        except BaseException as error:
            failure = error
        _call_in(loop, settle, reply, failure)

    _spawn(work)
    try:
        return await result
    except asyncio.CancelledError:
        await _stop(run, ended)
        raise


class AsyncStream(Generic[T]):
    """`Stream` for `async with` and `async for`. Event loop: the one it is first used in."""

    def __init__(self, run: Run[T]) -> None:
        self._run = run
        self._queue: deque[Event] = deque()
        self._failure: BaseException | None = None
        self._over = False
        self._waiter: asyncio.Future[None] | None = None
        self._room = threading.Event()
        self._ended: asyncio.Event | None = None

    async def __aenter__(self) -> AsyncStream[T]:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        self._begin()
        queue = self._queue
        try:
            while True:
                while queue:
                    event = queue.popleft()
                    if isinstance(event, TextDelta):
                        yield event.text
                if not await self._more():
                    return
        finally:
            await self.aclose()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Everything that happens, `Done` last."""
        self._begin()
        queue = self._queue
        try:
            while True:
                while queue:
                    yield queue.popleft()
                if not await self._more():
                    return
        finally:
            await self.aclose()

    def cancel(self) -> None:
        """End the run soon, with stop reason "cancelled". Any thread."""
        self._run.cancel.cancel()
        self._room.set()

    async def aclose(self) -> None:
        """End the run now. Nothing to do when it is over."""
        if self._ended is None:
            close_unstarted(self._run)
        elif not self._over:
            self._room.set()
            await _stop(self._run, self._ended)

    @property
    def reply(self) -> Reply[T]:
        """What the run came to.

        Raises: StateError while it is under way.
        """
        return reply_of(self._run)

    def _begin(self) -> None:
        if self._ended is None and self._run.reply is None:
            self._loop = self._run.loop = asyncio.get_running_loop()
            self._ended = asyncio.Event()
            _spawn(self._produce)

    def _produce(self) -> None:
        """In the thread: run, and wake the consumer when it waits."""
        queue, run = self._queue, self._run
        try:
            for event in run.events():
                queue.append(event)
                if self._waiter is not None:
                    self._wake()
                if len(queue) > _AHEAD_MAX and not run.cancel.is_set:
                    self._room.clear()
                    if len(queue) > _AHEAD_MAX and not run.cancel.is_set:
                        self._room.wait()
        except BaseException as error:
            self._failure = error
        self._over = True
        assert self._ended is not None
        _call_in(self._loop, self._ended.set)
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            _call_in(self._loop, _resolve, waiter)

    async def _more(self) -> bool:
        """Wait for events; False when there will be none."""
        self._room.set()
        if self._over and not self._queue:
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            return False
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiter = waiter
        if not self._queue and not self._over:  # looked at after the thread could see that we wait
            await waiter
        self._waiter = None
        return True


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _spawn(work: Any) -> None:
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="agentrt run", daemon=True).start()


def _call_in(loop: asyncio.AbstractEventLoop, function: Any, *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:  # the loop was closed meanwhile: nobody is waiting any more
        return


def _for_future(error: BaseException | None) -> BaseException:
    """A future can not carry StopIteration."""
    if isinstance(error, StopIteration):
        wrapped = RuntimeError("the model raised StopIteration")
        wrapped.__cause__ = error
        return wrapped
    assert error is not None
    return error


async def _stop(run: Run[Any], ended: asyncio.Event) -> None:
    """Cancel the run and wait for its thread, unless a tool keeps that busy: Python can not interrupt one."""
    run.cancel.cancel()
    if not run.in_tool:
        waiting = asyncio.ensure_future(ended.wait())
        await asyncio.wait({waiting}, timeout=_GRACE_S)
        waiting.cancel()
