"""One call of a tool: the verb works in a thread of its own, reports its progress, and can be stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server.mcpserver import Context

from tunebook import api
from tunebook.cli.bug import bug_report
from tunebook.core.units import spoken_duration
from tunebook.errors import ExitCode, TunebookError, os_problem

__all__ = ["Call", "News", "ended", "followed"]

_LOOK_S = 0.05
_REPEAT_S = 10.0
"""Clients give up on a call that says nothing for long: so often the last news is repeated."""
_LITTLE = 1e-6
"""The protocol wants each report of progress to be higher than the one before."""


class StoppedError(TunebookError):
    """The verb was asked to end, and did."""

    exit_code = ExitCode.INTERRUPTED


@dataclass(frozen=True)
class News:
    """How far a call is; ``total`` is ``None`` if nobody knows."""

    done: float
    total: float | None
    text: str


class Call:
    """A verb at work.

    Args:
        work: does the verb; it gets the call, to report news and to learn that it is to stop.
        arguments: the words for a report about a bug.

    Attributes:
        news: what the client has not heard yet, the oldest first.
        result: what ``work`` returned.
        error: why it ended without a result.
        remark: what a stop leaves behind; the verb's thread says it.
    """

    def __init__(self, work: Callable[[Call], Any], arguments: Sequence[str]) -> None:
        self.news: deque[News] = deque()
        self.result: Any = None
        self.error: TunebookError | None = None
        self.remark = ""
        self._work = work
        self._arguments = arguments
        self._stop = threading.Event()
        self._ended = threading.Event()
        # A verb that cannot be stopped must not keep the process alive once the client has gone.
        self._thread = threading.Thread(target=self._run, name=f"tunebook {arguments[0]}", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether there is a result or an error."""
        return self._ended.is_set()

    def stop(self) -> None:
        """Asks the verb to end; it does so where it next looks."""
        self._stop.set()

    def wait(self, limit_s: float | None = None) -> bool:
        """Waits for the end; returns whether it came within the limit."""
        return self._ended.wait(limit_s)

    def sleep(self, seconds: float) -> None:
        """Waits in the verb's thread; ends it if it is to stop."""
        self._stop.wait(seconds)
        self.look()

    def look(self) -> None:
        """Ends the verb if it is to stop; called in its thread.

        Raises:
            KeyboardInterrupt: it is.
        """
        if self._stop.is_set():
            api.interrupt_as_if(signal.SIGINT)

    def tell(self, done: float, total: float | None, text: str) -> None:
        """Reports progress; called in the verb's thread."""
        self.news.append(News(done, total, text))

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except KeyboardInterrupt:
            self.error = StoppedError("the call was stopped", hint=self.remark)
        except TunebookError as error:
            self.error = error
        except OSError as error:
            self.error = TunebookError([os_problem(error)])
        except BaseException as error:  # noqa: BLE001  the last boundary of a thread
            self.error = bug_report(error, arguments=self._arguments)
        finally:
            self._ended.set()


async def followed(call: Call, context: Context[Any, Any], *, until: Callable[[], bool] | None = None) -> None:
    """Waits for a call's end, and sends its news to the client.

    A client that cancels its request stops the verb; this returns once it has stopped.

    Args:
        until: whether there is enough to answer before the end.
    """
    teller = _Teller(context)
    try:
        while not call.has_ended and not (until is not None and until()):
            await teller.tell(call.news)
            await anyio.sleep(_LOOK_S)
        await teller.tell(call.news)
    except anyio.get_cancelled_exc_class():
        call.stop()
        with anyio.CancelScope(shield=True):
            await ended([call])
        raise


async def ended(calls: Sequence[Call]) -> None:
    """Returns when all of these calls have ended."""
    while not all(call.has_ended for call in calls):  # noqa: ASYNC110  threads set it
        await anyio.sleep(_LOOK_S)


class _Teller:
    """Sends progress: what is new, and after some time without news the last once more."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._began = self._sent_at = time.monotonic()
        self._sent: News | None = None
        self._value = -_LITTLE

    async def tell(self, news: deque[News]) -> None:
        """Sends all of them; without any, the last one again after some time."""
        while news:
            item = news.popleft()
            if item != self._sent:
                await self._send(item, item.text)
        now = time.monotonic()
        if self._sent is not None and now - self._sent_at > _REPEAT_S:
            await self._send(self._sent, f"{self._sent.text} (for {spoken_duration(now - self._began)})")

    async def _send(self, news: News, text: str) -> None:
        self._sent, self._sent_at = news, time.monotonic()
        self._value = max(self._value + _LITTLE, news.done)
        await self._context.report_progress(self._value, news.total, text)
