"""What ``registry:`` may say: where versions are recorded and where their files lie. Keys and passwords stand nowhere in it."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from hatrack.core.names import NAME_RULE, valid_name
from hatrack.core.strict import Strict

__all__ = ["RegistryPlace", "RegistrySettings"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def _check_database(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "sqlite"):
        raise ValueError("the database is a URL: postgresql://USER@HOST/DATABASE, or sqlite:///FILE from the project's folder")
    if parts.password or "password=" in parts.query:
        raise ValueError("database: a password does not belong into a file; libpq finds it in PGPASSWORD or ~/.pgpass")
    if parts.scheme == "sqlite" and (parts.netloc or not parts.path.strip("/")):
        raise ValueError("sqlite:///FILE is from the project's folder, sqlite:////FILE absolute")


def _blobs(place: str) -> str:
    if "://" not in place:
        return place
    parts = urlsplit(place)
    if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
        raise ValueError("blobs are s3://BUCKET/PREFIX, or a folder")
    return place


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("an address like https://s3.example.com is needed; keys are read from the environment")
    return url.rstrip("/")


class RegistryPlace(Strict):
    """Where a registry is."""

    database: str | None = Field(
        None, description="postgresql://USER@HOST/DATABASE or sqlite:///FILE; null: a SQLite file of this project alone."
    )
    blobs: Annotated[str, AfterValidator(_blobs)] | None = Field(
        None, description="Where files lie: s3://BUCKET/PREFIX, or a folder; null: .hatrack/blobs of this project."
    )
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None, description="Address of an S3 service that is not Amazon's, as https://s3.example.com."
    )
    region: str | None = Field(None, description="Region of the bucket; null: AWS_REGION, else us-east-1.")

    @model_validator(mode="before")
    @classmethod
    def _an_url_is_enough(cls, value: Any) -> Any:
        return {"database": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _both_are_shared(self) -> RegistryPlace:
        if self.database is not None:
            _check_database(self.database)  # not by a validator of the key: a fault there would show what was given, and a password in it
        if self.database and self.database.startswith("postgresql") and not self.blobs:
            raise ValueError("a database that others use needs blobs that they reach too: blobs: s3://BUCKET/PREFIX, or a folder of all")
        return self


class RegistrySettings(RegistryPlace):
    """This project's registry, and those that versions are pushed to and pulled from."""

    refresh_seconds: float = Field(
        1.0, ge=0, description="A server asks a database across a network at most so often whether somebody promoted something."
    )
    remotes: dict[str, RegistryPlace] = Field({}, description="Other registries by name, for `hatrack registry push` and `pull`.")

    @model_validator(mode="after")
    def _remotes_are_elsewhere(self) -> RegistrySettings:
        for name, place in self.remotes.items():
            if not valid_name(name):
                raise ValueError(f"remotes: {name!r} is no name; names have the form {NAME_RULE}")
            if place.database is None:
                raise ValueError(f"remotes.{name}: it needs a database")
        return self
