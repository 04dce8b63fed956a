"""Rows that are to leave this machine: what the adapter's policy on personal data says to it."""

from __future__ import annotations

from collections import Counter

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed
from hatrack.data.prepare import Prepared

__all__ = ["check_leaving"]

_DONE = {"report": "kept as it is", "mask": "masked", "pseudonym": "replaced", "drop": "those rows are left out"}


def check_leaving(config: AdapterConfig, prepared: Prepared, host: str, *, permitted: bool) -> str:
    """One sentence on personal data in the rows that go to ``host``, of all the adapter's files together.

    Args:
        permitted: the user's word that personal data may be sent.

    Raises:
        CheckFailed: it would be sent as it is, or was not looked for, and that is not permitted.
    """
    policy = config.prepare.pii
    found: Counter[str] = Counter()
    for part in prepared.parts.values():
        found.update(part.pii)
    if policy.mode == "off":
        said = "not looked for (prepare.pii.mode: off)"
    elif not found:
        said = f"none found by the recogniser {policy.recogniser}"
    else:
        types = ", ".join(f"{kind} in {rows:,} rows" for kind, rows in sorted(found.items(), key=lambda item: (-item[1], item[0])))
        said = f"{types}; {_DONE[policy.mode]} (prepare.pii.mode: {policy.mode})"
    exposed = policy.mode == "off" or (policy.mode == "report" and bool(found))
    if exposed and not permitted:
        raise CheckFailed(
            f"personal data may leave this machine for {host}",
            given=said,
            allowed="rows whose personal data is masked, replaced or left out; or your word that it may be sent",
            fix="set prepare.pii.mode: mask, or provider.personal_data: send, or hosted.NAME.personal_data: send",
        )
    return said
