"""The process that serves: a socket first, then the model, and at the end every answer that was begun."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import math
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from hatrack.core.errors import ConfigError

__all__ = ["Server", "is_loopback_address", "listen", "must_be_safe"]


def is_loopback_address(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def must_be_safe(host: str, *, keys: bool, without_keys: bool) -> None:
    """Refuse to answer a whole network without keys, unless told to.

    Raises:
        ConfigError: it would.
    """
    if not keys and not without_keys and not is_loopback_address(host):
        raise ConfigError(
            "without keys this server would answer anybody on the network",
            given=f"host {host}, no key",
            allowed="127.0.0.1 without keys, or any address with keys",
            fix="make a key with `hatrack keys make NAME`, or say --without-keys if something else keeps strangers out",
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address, before anything heavy is loaded. Nobody is answered yet.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio turns Nagle's algorithm off only where the protocol is named; else an answer in two writes waits 40 ms
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise ConfigError(
            f"port {port} is taken" if taken else "this address cannot be listened on",
            given=f"{host}:{port}" if taken else f"{host}:{port}: {error.strerror}",
            fix="choose another with --port; --port 0 takes any free one" if taken else "choose another with --host",
        ) from error
    return bound


class Server(uvicorn.Server):
    """uvicorn, but signals end the serving and not the process, which has a service to stop."""

    def __init__(self, app: FastAPI, drain_seconds: float) -> None:
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=math.ceil(drain_seconds),
        )
        super().__init__(config)
        self._app = app

    def serve_until_told(self, bound: socket.socket) -> None:
        """Answer until SIGTERM or Ctrl-C; then take nothing new, let running answers end in their time, and return.

        A second signal ends at once.
        """
        asyncio.run(self.serve(sockets=[bound]))

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """See uvicorn."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.end)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def end(self) -> None:
        """Take nothing new; called again, end at once."""
        self._app.state.context.draining = True
        self.force_exit = self.should_exit
        self.should_exit = True
