"""Running one tool call: typed arguments, time-outs, coroutines, and a text for the model whatever happens."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .chatmodel import CancelToken
from .errors import Cancelled, ModelRetry
from .messages import CallRecord, ToolCall
from .tools import Tool, describe, encode_result

if TYPE_CHECKING:
    import asyncio

__all__ = ["run_call"]


def run_call(
    tool: Tool,
    call: ToolCall,
    *,
    max_result: int,
    deadline: float,
    cancel: CancelToken,
    loop: asyncio.AbstractEventLoop | None,
) -> CallRecord:
    """Make the call and record what came of it; the only exceptions that leave are those that end a program.

    deadline:  of the run (`time.monotonic()`); it bounds tools with a time-out and coroutines. A plain function
               without a time-out runs in this thread until it returns.
    loop:      where coroutines run; None: in an event loop of their own.
    """
    start = time.monotonic()
    value: Any = None
    error: Exception | None = None
    try:
        arguments = tool.decode(call.arguments)
        if tool.timeout is None or tool.is_async:
            value = tool.call(arguments)
        else:
            timeout = min(tool.timeout, deadline - start)
            value = _in_thread(lambda: tool.call(arguments), tool.name, timeout, cancel)
        if hasattr(value, "__await__"):
            timeout = deadline - start if tool.timeout is None else min(tool.timeout, deadline - start)
            value = _await(value, tool.name, timeout, cancel, loop)
        content = encode_result(value)
    except ModelRetry as retry:
        value, error, content = None, retry, retry.hint
    except Exception as failure:
        value, error, content = None, failure, describe(failure)
    cap = max_result if tool.max_result is None else tool.max_result
    if len(content) > cap:
        content = f"{content[:cap]}\n[cut: the first {cap} of {len(content)} characters]"
    return CallRecord(call, content, value, error, 0, time.monotonic() - start)


def _in_thread(function: Callable[[], Any], name: str, timeout: float, cancel: CancelToken) -> Any:
    """Call in a new thread. When time is up or the run is cancelled the thread is left to itself: Python can not end
    it; it is a daemon, so that it does not keep the program alive."""
    import contextvars
    import threading

    outcome: list[tuple[Any, BaseException | None]] = []
    done = threading.Event()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome.append((context.run(function), None))
        except BaseException as error:
            outcome.append((None, error))
        done.set()

    threading.Thread(target=work, name=f"agentrt tool {name}", daemon=True).start()
    with cancel.linked(done.set):
        done.wait(max(timeout, 0.0))
    if not outcome:
        if cancel.is_set:
            raise Cancelled(f"{name} was left behind: the run was cancelled")
        raise TimeoutError(f"{name} did not return within {timeout:.3g} s")
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


def _await(
    awaitable: Awaitable[Any], name: str, timeout: float, cancel: CancelToken, loop: asyncio.AbstractEventLoop | None
) -> Any:
    import asyncio
    import concurrent.futures

    async def bounded() -> Any:
        task = asyncio.ensure_future(awaitable)
        here = asyncio.get_running_loop()
        with cancel.linked(lambda: here.call_soon_threadsafe(task.cancel)):
            return await asyncio.wait_for(task, max(timeout, 0.0))

    try:
        if loop is not None:
            return asyncio.run_coroutine_threadsafe(bounded(), loop).result()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(bounded())
        with concurrent.futures.ThreadPoolExecutor(1) as pool:  # this thread's event loop is busy running us
            return pool.submit(asyncio.run, bounded()).result()
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise TimeoutError(f"{name} did not finish within {timeout:.3g} s, or timed out itself") from error
    except (asyncio.CancelledError, concurrent.futures.CancelledError) as error:
        raise Cancelled(f"{name} was cancelled") from error
