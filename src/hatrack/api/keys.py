"""API keys: made once, shown once, and known by their SHA-256 digest only.

A key is 256 random bits, so a plain digest is enough: there is nothing to guess that a slow hash would have to hold up.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import Field, ValidationError

from hatrack.api.quota import Bucket
from hatrack.core.atomic import write_text
from hatrack.core.config_http import KeyEntry
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest

__all__ = ["Caller", "KeyFile", "KeyRing", "StoredKey", "key_digest"]

_KIND = "hatrack.keys/1"
_PREFIX = "hat_"  # lets scanners for leaked secrets find it


class StoredKey(KeyEntry):
    """A key in the file. A revoked one stays there: a server that once asked for keys goes on asking."""

    created: str = Field(description="When it was made.")
    revoked: str | None = Field(None, description="When it was revoked.")


def key_digest(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class KeyFile:
    """The keys that ``hatrack keys`` makes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> object:
        """Differs after any change."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def read(self) -> list[StoredKey]:
        """All keys, revoked ones too.

        Raises:
            ConfigError: the file is damaged.
        """
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or content.get("kind") != _KIND:
                raise self._damaged("it was not written by `hatrack keys`")
            return [StoredKey.model_validate(entry) for entry in content["keys"]]
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, ValidationError, KeyError, TypeError) as error:
            raise self._damaged(str(error).splitlines()[0]) from error

    def make(
        self,
        name: str,
        scopes: Sequence[str] = ("use:*",),
        tenant: str | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> tuple[str, StoredKey]:
        """A new key and what is kept of it; the key itself cannot be had again.

        Raises:
            ConfigError: the name is taken, or something given is not allowed.
        """
        key = _PREFIX + secrets.token_urlsafe(32)
        try:
            entry = StoredKey(
                name=name,
                digest=key_digest(key),
                tenant=tenant,
                scopes=tuple(scopes),
                requests_per_minute=requests_per_minute,
                tokens_per_minute=tokens_per_minute,
                created=_now(),
            )
        except ValidationError as error:
            fault = error.errors()[0]
            raise ConfigError(
                "such a key cannot be made",
                given=f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}",
                fix="run `hatrack keys --help`",
            ) from error
        with self._locked():
            known = self.read()
            if any(other.name == name and not other.revoked for other in known):
                raise ConfigError(
                    f"there is already a key called {name!r}", given=name, allowed="a name of its own", fix=f"hatrack keys revoke {name}"
                )
            self._write([*known, entry])
        return key, entry

    def revoke(self, name: str) -> StoredKey:
        """Take a key's rights away for good; a running server knows at once.

        Raises:
            ConfigError: there is no such key.
        """
        with self._locked():
            known = self.read()
            live = [entry for entry in known if not entry.revoked]
            entry = next((entry for entry in live if entry.name == name), None)
            if entry is None:
                names = sorted(other.name for other in live)
                near = closest(name, names, 1)
                raise ConfigError(
                    f"there is no key called {name!r}",
                    given=name,
                    allowed=", ".join(names) or "there is no key yet",
                    fix=f"did you mean {near[0]}?" if near else "run `hatrack keys list`",
                )
            gone = entry.model_copy(update={"revoked": _now()})
            self._write([gone if other is entry else other for other in known])
        return gone

    def _write(self, entries: list[StoredKey]) -> None:
        content = {"kind": _KIND, "keys": [entry.model_dump(mode="json") for entry in entries]}
        write_text(self.path, json.dumps(content, indent=1) + "\n")

    def _locked(self) -> FileLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{self.path}.lock")

    def _damaged(self, reason: str) -> ConfigError:
        return ConfigError(
            "the file of API keys cannot be read", given=f"{self.path}: {reason}", fix="restore it, or delete it and make new keys"
        )


class Caller:
    """Who asks, and what he may. Without keys everybody is the same caller and may everything."""

    def __init__(self, entry: KeyEntry | None = None) -> None:
        self.name = entry.name if entry else ""
        self.tenant = entry.owner if entry else ""
        self.scopes = frozenset(entry.scopes if entry else ("use:*", "admin"))
        self.requests = Bucket(entry.requests_per_minute) if entry and entry.requests_per_minute else None
        self.tokens = Bucket(entry.tokens_per_minute) if entry and entry.tokens_per_minute else None

    def may_use(self, adapter: str) -> bool:
        """Whether he may ask this adapter, by its name without version."""
        return "use:*" in self.scopes or f"use:{adapter}" in self.scopes

    @property
    def may_use_something(self) -> bool:
        """Whether any adapter is his."""
        return any(scope.startswith("use:") for scope in self.scopes)

    @property
    def may_administer(self) -> bool:
        """Whether he may load, promote and the like."""
        return "admin" in self.scopes

    @property
    def may_watch(self) -> bool:
        """Whether he may read the metrics."""
        return self.may_administer or "metrics" in self.scopes


class KeyRing:
    """All keys a server knows: those of the config, and those of the file as it is now. Used from one thread.

    Attributes:
        required: whether a key is asked for. Once it is, it stays so until the server ends.
    """

    def __init__(self, entries: Sequence[KeyEntry], file: KeyFile) -> None:
        """Read the file.

        Raises:
            ConfigError: it is damaged.
        """
        self._entries = tuple(entries)
        self._file = file
        self._stamp: object = None
        self._callers: dict[KeyEntry, Caller] = {entry: Caller(entry) for entry in self._entries}
        self._nobody = Caller()
        self.required = bool(entries)
        self._refresh()

    def caller(self, key: str | None) -> Caller | None:
        """Who has this key; None for nobody. Every digest is compared, in constant time.

        Raises:
            ConfigError: the file was damaged since; nobody is let in.
        """
        self._refresh()
        if not self.required:
            return self._nobody
        if key is None:
            return None
        digest = key_digest(key)
        found = None
        for entry, caller in self._callers.items():
            if hmac.compare_digest(entry.digest, digest):
                found = caller
        return found

    def _refresh(self) -> None:
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        stored = self._file.read()
        live = [*self._entries, *(entry for entry in stored if not entry.revoked)]
        # a caller keeps what is left of his quota
        self._callers = {entry: self._callers.get(entry) or Caller(entry) for entry in live}
        self.required = self.required or bool(stored)
        self._stamp = stamp


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
