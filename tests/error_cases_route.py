"""Faults of routing, for the catalogue behind docs/errors.md."""

from __future__ import annotations

from error_place import Place, case, fault
from hatrack.core.project import Project
from hatrack.models.content import CONTENT
from hatrack.registry.store import Registry


def _routing(at: Place, text: str) -> None:
    path = at.trained() / "hatrack.yaml"
    path.write_text(path.read_text() + text)


fault(
    "keys and values that routing cannot have",
    "route hello",
    lambda at: _routing(at, "routing: {order: [content], treshold: 2, rules: [{when: {contry: FR}, use: ../x}]}\n"),
    "must begin with explicit",
    "did you mean threshold?",
    "NAME@VERSION",
)
fault("a request that names an unknown adapter", "route hello --model wrods", lambda at: at.trained(), "did you mean words?", "base")
fault(
    "a rule that leads to an adapter that is not there (F23)",
    "route hello --country FR",
    lambda at: _routing(at, "routing: {rules: [{when: {country: FR}, use: fr-tax}]}\n"),
    "no adapter called 'fr-tax'",
    "by rule 1",
)
fault("an attribute without a value", "route hello --attribute language", lambda at: at.trained(), "NAME=VALUE")
fault("learning before anything is trained", "route --learn", lambda at: at.project(), "hatrack adapt")
fault(
    "a file of foreign texts that is not there",
    "route --learn",
    lambda at: _routing(at, f"routing: {{foreign: missing.txt, embedder: {at.encoder}}}\n"),
    "routing.foreign",
    "UTF-8",
)


@case("an embedder that is not there", "no-such-encoder", "bundled/")
def _(at: Place) -> str:
    _routing(at, "routing: {embedder: bundled/no-such-encoder}\n")
    registry = Registry(Project(at.root))
    file = at.tmp / "profile"
    file.write_bytes(b"learned")
    registry.attach(registry.resolve("words"), CONTENT, file)
    return "route --learn"
