"""What stands at the head of a bundle, and who vouches for it.

A bundle is an uncompressed tar file: ``bundle.json``, its signature ``bundle.sig``, then the files that it names, in order.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hatrack.core.errors import ConfigError
from hatrack.core.extras import require

__all__ = ["HEAD", "KEY", "SIGNATURE", "BundleRecord", "BundledFile", "new_key", "public_key", "sign", "signed"]

HEAD, SIGNATURE = "bundle.json", "bundle.sig"
KEY = "HATRACK_SIGNING_KEY"
_SEED = 32  # bytes of an Ed25519 key, and of its public half


class BundledFile(BaseModel):
    """One file: where it goes, below the folder that is made, and what it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    bytes: int
    sha256: str

    @field_validator("name")
    @classmethod
    def _it_stays_below(cls, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name or not path.parts:
            raise ValueError(f"{name!r} is no place below a folder")
        return name


class BundleRecord(BaseModel):
    """Everything the signature covers, directly or by hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.bundle/1"] = "hatrack.bundle/1"
    hatrack: str = Field(description="Version that made it.")
    base: str = Field(description="As the project called its base.")
    base_fingerprint: str
    versions: tuple[str, ...] = Field(description="NAME@VERSION of every adapter and table inside.")
    champions: dict[str, str]
    left_out: tuple[str, ...] = Field((), description="What the project uses and the bundle does not hold, a sentence each.")
    extras: tuple[str, ...] = Field(("bundle", "serve"), description="What Hatrack is installed with to unpack and use all of it.")
    files: tuple[BundledFile, ...]
    created: str

    @property
    def requirement(self) -> str:
        """What `pip install` is to be given on the other machine."""
        return f"hatrack[{','.join(self.extras)}]"


def sign(content: bytes) -> bytes:
    """Public key and signature of ``content``, with the key in the environment.

    Raises:
        ConfigError: there is no key, or it is none.
    """
    text = os.environ.get(KEY, "")
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != _SEED:
        raise ConfigError(
            "a bundle is signed, and there is no key to sign it with",
            given=f"{KEY} is {'not a key' if text else 'not set'}",
            allowed=f"{2 * _SEED} hexadecimal digits",
            fix=f"run `hatrack bundle --new-key`, keep what it prints, and set {KEY}",
        )
    key = _ed25519().Ed25519PrivateKey.from_private_bytes(seed)
    made: bytes = key.public_key().public_bytes_raw() + key.sign(content)
    return made


def signed(content: bytes, signature: bytes) -> str | None:
    """Who signed ``content``, as the hexadecimal public key; None where the signature is not of this content."""
    ed25519 = _ed25519()  # first: where the package is not there, this says so
    from cryptography.exceptions import InvalidSignature

    public, rest = signature[:_SEED], signature[_SEED:]
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(rest, content)
    except (InvalidSignature, ValueError):
        return None
    return public.hex()


def new_key() -> tuple[str, str]:
    """A private key and its public half, in hexadecimal digits."""
    key = _ed25519().Ed25519PrivateKey.generate()
    return key.private_bytes_raw().hex(), key.public_key().public_bytes_raw().hex()


def public_key(text: str) -> str:
    """The digits of a public key, in lower case.

    Raises:
        ConfigError: it is none.
    """
    found = text.strip().lower()
    if len(found) != 2 * _SEED or any(digit not in "0123456789abcdef" for digit in found):
        raise ConfigError(
            "this is no public key", given=text, allowed=f"{2 * _SEED} hexadecimal digits, as `hatrack bundle --new-key` prints them"
        )
    return found


def _ed25519() -> Any:
    return require("cryptography.hazmat.primitives.asymmetric.ed25519", extra="bundle", reason="signing and checking bundles")
