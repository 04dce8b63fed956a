"""One address that speaks OpenAI's protocol: the key, the client, and its errors as Hatrack says them.

The key is read from the environment when the client is made, goes into the header of requests to this one address, and
is cut out of everything the other side says: some quote it. Redirects are not followed: what was shown is where it goes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hatrack.core.config_provider import host_of
from hatrack.core.errors import ConfigError, ProviderError
from hatrack.core.extras import require
from hatrack.models.backends import faults

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

__all__ = ["Endpoint", "read_key"]

_SECONDS = 120.0  # for one request; a long answer or a large upload
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_key(variable: str) -> str:
    """The key in an environment variable.

    Raises:
        ConfigError: this cannot be the name of a variable (a pasted key is not repeated), or it is not set.
    """
    if not _VARIABLE.fullmatch(variable):
        raise ConfigError(
            "api_key_env must be the name of an environment variable, not a key",
            given=f"{len(variable)} characters that are no such name",
            allowed="a name like OPENAI_API_KEY",
            fix="put the key into the environment; if it stood in a file, have it replaced by a new one",
        )
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            "there is no key for the provider in the environment",
            given=f"{variable} is not set",
            allowed="any text where the endpoint asks for no key",
            fix=f"export {variable}=..., or name another variable in api_key_env",
        )
    return key


class Endpoint:
    """A client for one address.

    Args:
        retries: how often a request is sent again after a lost connection, 429 or 5xx; ``Retry-After`` is kept to.

    Raises:
        ConfigError: there is no key. MissingExtra: the package ``openai`` is not installed.
    """

    def __init__(self, base_url: str, api_key_env: str, retries: int) -> None:
        self.host = host_of(base_url)
        self._key, self._variable = read_key(api_key_env), api_key_env
        self._sdk = require("openai", extra="hosted", reason="a hosted model")
        # no cookies, no redirects; the proxy of the environment is kept to
        http = self._sdk.DefaultHttpxClient(follow_redirects=False)
        self.client: OpenAI = self._sdk.OpenAI(
            api_key=self._key, base_url=base_url, timeout=_SECONDS, max_retries=retries, http_client=http
        )

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn the client's errors inside the block into ProviderError, ``doing`` in words: "the upload"."""
        sdk = self._sdk
        try:
            yield
        except (sdk.AuthenticationError, sdk.PermissionDeniedError) as error:
            raise faults.key_refused(self.host, self._variable, self._said(error)) from None
        except sdk.RateLimitError as error:
            if error.code == "insufficient_quota":  # waiting does not help
                raise faults.refused(self.host, doing, self._said(error)) from None
            raise faults.no_time(self.host, doing, self._said(error)) from None
        except sdk.InternalServerError as error:
            raise faults.failed(self.host, doing, self._said(error)) from None
        except sdk.APIConnectionError as error:
            reason = error.__cause__ or error
            raise faults.silent(self.host, doing, self._hidden(str(reason) or type(reason).__name__), billed=True) from None
        except sdk.APIStatusError as error:
            raise faults.refused(self.host, doing, self._said(error)) from None
        except (sdk.APIError, AttributeError, LookupError, TypeError, ValueError) as error:  # an answer of another shape
            raise self.misspoke(doing, f"{type(error).__name__}: {error}") from None

    def misspoke(self, doing: str, given: str) -> ProviderError:
        """The error for an answer that the protocol does not know."""
        return faults.misspoke(self.host, "OpenAI", doing, self._hidden(given))

    def _said(self, error: APIStatusError) -> str:
        body = error.body
        message = body["message"] if isinstance(body, dict) and isinstance(body.get("message"), str) else error.response.text
        return self._hidden(f"HTTP {error.status_code}: {message}")

    def _hidden(self, text: str) -> str:
        return " ".join(text.replace(self._key, "***").split())[: faults.SHOWN]
