"""What a hosted endpoint does wrong, as Hatrack says it: the same sentences for every protocol and client."""

from __future__ import annotations

from hatrack.core.errors import ProviderError, ProviderUnreachable

__all__ = ["SHOWN", "failed", "key_refused", "misspoke", "no_time", "refused", "silent"]

SHOWN = 300  # characters of what the other side says


def key_refused(host: str, variable: str, said: str) -> ProviderError:
    """401 and 403."""
    return ProviderError(
        f"{host} does not accept the key",
        given=said,
        allowed=f"a key in {variable} that may do this",
        fix="look at the key and at what it is allowed to do",
    )


def no_time(host: str, doing: str, said: str, retry_after: float | None = None) -> ProviderUnreachable:
    """429."""
    error = ProviderUnreachable(f"{host} has no time for {doing}", given=said, fix="wait, then run the same command again")
    error.retry_after = retry_after
    return error


def failed(host: str, doing: str, said: str, retry_after: float | None = None, *, billed: bool = False) -> ProviderUnreachable:
    """5xx, or a stream that ends in an error."""
    error = ProviderUnreachable(f"{host} failed at {doing}", given=said, fix="run the same command again later")
    error.retry_after, error.billed = retry_after, billed
    return error


def silent(host: str, doing: str, reason: str, *, billed: bool) -> ProviderUnreachable:
    """No connection, or no answer on it."""
    error = ProviderUnreachable(
        f"{host} does not answer",
        given=f"{doing}: {reason}",
        fix="look at the network and the address, then run the same command again",
    )
    error.billed = billed
    return error


def refused(host: str, doing: str, said: str) -> ProviderError:
    """Any other 4xx: asking again will not help."""
    return ProviderError(
        f"{host} refuses {doing}",
        given=said,
        allowed="what the provider's documentation allows",
        fix="look at provider or hosted in hatrack.yaml and at the provider's own limits",
    )


def misspoke(host: str, protocol: str, doing: str, given: str) -> ProviderError:
    """An answer that the protocol does not know; it may well be billed."""
    error = ProviderError(
        f"{host} answers what {protocol}'s protocol does not know",
        given=f"{doing}: {given}",
        allowed=f"an endpoint that speaks {protocol}'s protocol",
        fix="look at base_url; it often ends in /v1",
    )
    error.billed = True
    return error
