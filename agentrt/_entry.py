"""What the command `agentrt` begins and ends with, so that Ctrl-C ends it with status 130 and without a traceback.

It loads next to nothing before it listens: the command line and all that this needs are loaded where an interrupt is
heard. At the end there is nobody left who could hear one: while Python waits for threads and runs what is registered
with atexit, an interrupt ends the process at once; afterwards the process ends by itself, with the status it has.
"""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

_INTERRUPTED = 130
_AGAIN = 0.001  # seconds until a lost interrupt is raised again


def main() -> int:
    """Run the command line of this process; returns the exit status."""
    try:
        try:
            _listen()
            from .cli import main as command

            return command()
        finally:
            _end_at_once()
    except KeyboardInterrupt:
        _end_at_once()
        print(file=sys.stderr)
        return _INTERRUPTED


def _listen() -> None:
    import atexit
    import signal

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # a shell starts what runs in the background with SIGINT ignored
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # the first one that is registered runs last
    told = sys.unraisablehook

    def lost(what: sys.UnraisableHookArgs) -> None:
        """Python drops what is raised in finalizers and weak references' callbacks, of which its imports have many."""
        if not issubclass(what.exc_type, KeyboardInterrupt):
            told(what)
        else:
            signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGINT))
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)

    sys.unraisablehook = lost


def _end_at_once() -> None:
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
