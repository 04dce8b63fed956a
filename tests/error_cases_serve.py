"""The faults of serving for docs/errors.md: addresses, keys."""

from __future__ import annotations

import errno
import socket
import sys

import error_cases_data  # noqa: F401  # its cases come first on the page
from error_place import Place, fault
from hatrack.api.keys import KeyFile
from hatrack.core.project import Project
from projects import write_project

__all__: list[str] = []


def _key(at: Place) -> KeyFile:
    file = KeyFile(Project(at.project()).keys)
    file.make("law")
    return file


def _damaged(at: Place) -> None:
    file = _key(at)
    file.path.write_text("{}")


def _wrong_key(at: Place) -> None:
    keys = [{"name": "law", "digest": "secret", "scopes": ["use:legal", "root"]}]
    write_project(at.project(), at.encoder, {"first": {"data": "data.jsonl", "task": "classify"}}, serve={"keys": keys})


fault("a whole network without keys", "serve --host 0.0.0.0", lambda at: at.project(), "anybody", "hatrack keys make", "--without-keys")
fault(
    "the port is taken",
    "serve --port 8000",
    lambda at: at.project() and at.refuse(socket.socket, "bind", errno.EADDRINUSE),
    "port 8000 is taken",
    "--port 0",
)
fault(
    "an address of another machine",
    "serve --host 127.0.0.1",
    lambda at: at.project() and at.refuse(socket.socket, "bind", errno.EADDRNOTAVAIL),
    "cannot be listened on",
    "--host",
)
fault(
    "the server's packages are not installed",
    "serve",
    lambda at: at.project() and at.patch.setitem(sys.modules, "uvicorn", None),
    "uvicorn",
    "hatrack[serve]",
)
fault("a key in the config that cannot be one", "serve", _wrong_key, "2 faults", "serve.keys.0.digest", "'root' is no scope")
fault("a key without a name", "keys make", lambda at: at.project(), "which key", "hatrack keys make NAME")
fault("a key's name is taken", "keys make law", _key, "already a key called 'law'", "hatrack keys revoke law")
fault("a scope that is none", "keys make ops --scope root", lambda at: at.project(), "'root' is no scope", "use:NAME")
fault("an unknown key", "keys revoke lw", _key, "no key called 'lw'", "did you mean law?")
fault("the file of keys is damaged", "serve", _damaged, "cannot be read", "keys.json")
