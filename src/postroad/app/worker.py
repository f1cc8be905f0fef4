"""A worker: one process, one loop, the whole way of a message.

Started by the supervisor with the descriptor of its channel.  It imports everything, takes its
sockets and settings from the first message, becomes mail_owner, and serves.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import Any

from postroad.app.channel import Channel, Message
from postroad.app.ground import Owner
from postroad.app.preload import preload
from postroad.app.server import Server
from postroad.base.errors import ConfigurationError, PostroadError
from postroad.base.tasks import spawn

_YOUNG_OBJECTS = 20_000


class WorkerProcess:
    """The process: hears the supervisor, runs the Server."""

    def __init__(self, sock: socket.socket) -> None:
        self._channel = Channel(sock, self._received, self._orphaned)
        self._server: Server | None = None
        self._ended = asyncio.Event()
        self._begun = asyncio.Event()  # or failed

    async def run(self) -> None:
        """Serve until the supervisor says stop, or is gone."""
        await self._ended.wait()

    def _received(self, message: Message, fds: list[int]) -> None:
        match message["do"]:
            case "begin":
                spawn(self._begin(message, fds))
            case "stop":
                spawn(self._stop(float(message["seconds"])))
            case "helper":
                spawn(self._take_helper(fds[0]))
            case "certificates":
                spawn(self._take_certificates(fds[0]))
            case "flushed":
                if self._server is not None:
                    self._server.wishes.done()
            case "reopen":
                if self._server is not None:
                    self._server.reopen_log()
            case "request":
                spawn(self._answer(message["id"], message["request"], fds))

    async def _begin(self, message: Message, fds: list[int]) -> None:
        try:
            name, uid, gid = message["owner"]
            Owner(name, uid, gid).drop()
            server = Server(message, fds, self._channel.send)
            await server.start()
            self._server = server
            _calm_collector()
        except ConfigurationError as error:
            self._fail([str(problem) for problem in error.problems])
        except (PostroadError, OSError, ValueError) as error:
            self._fail([str(error)])
        except Exception as error:  # noqa: BLE001 - the supervisor prints it, and the operator sees it
            import traceback  # noqa: PLC0415

            self._fail([f"worker failed to start: {error!r}", *traceback.format_exc().splitlines()])
        else:
            self._channel.send({"re": "ready"})
        finally:
            self._begun.set()

    async def _take_helper(self, fd: int) -> None:
        await self._begun.wait()
        if self._server is not None:
            await self._server.take_helper(fd)

    async def _take_certificates(self, fd: int) -> None:
        await self._begun.wait()
        if self._server is not None:
            self._server.take_certificates(fd)

    def _fail(self, problems: list[str]) -> None:
        self._channel.send({"re": "failed", "problems": problems})
        self._ended.set()

    async def _answer(self, number: int, request: dict[str, Any], fds: list[int]) -> None:
        await self._begun.wait()
        try:
            if self._server is None:
                answer: dict[str, Any] = {"error": "not ready"}
            else:
                answer = await self._server.request(request, fds)
        except ConfigurationError as error:
            answer = {"problems": [str(problem) for problem in error.problems]}
        except Exception as error:  # noqa: BLE001 - the operator reads it
            answer = {"error": f"{type(error).__name__}: {error}", "problems": [str(error)]}
        self._channel.send({"re": "answer", "id": number, "answer": answer})

    async def _stop(self, seconds: float) -> None:
        await self._begun.wait()
        if self._server is not None:
            await self._server.stop(seconds)
        self._ended.set()

    def _orphaned(self) -> None:
        """The supervisor is gone: nobody else may own this queue's shard until we are, too."""
        self._begun.set()
        spawn(self._stop(1.0))


def main() -> int:
    """Run a worker on the channel whose descriptor is the first argument."""
    preload()
    sock = socket.socket(fileno=int(sys.argv[1]))
    # A terminal's ^C and a service manager's SIGTERM come to every process: the supervisor answers them,
    # and tells us to finish what is under way.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)

    async def serve() -> None:
        await WorkerProcess(sock).run()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve())
    return 0


def _calm_collector() -> None:
    """Let the garbage collector look at young objects seldom, and at what is there now never.

    A message makes hundreds of objects and no cycles; with the default threshold every few messages
    would walk through them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)


def _loop_factory() -> Any:
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:  # not on every platform
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    raise SystemExit(main())
