"""Faults of the red team, the gate, guard-rails and drift, for the catalogue behind docs/errors.md."""

from __future__ import annotations

from error_place import Place, case, fault

__all__: list[str] = []


def _with(at: Place, text: str, *, trained: bool = True) -> None:
    path = (at.trained() if trained else at.project()) / "hatrack.yaml"
    path.write_text(path.read_text() + text)


fault(
    "rules of the gate that would never be applied",
    "eval words",
    lambda at: _with(at, "gate: {metric: acuracy, no_worse: [saftey], tolerate: {general: 0.1}}\n"),
    "did you mean accuracy?",
    "did you mean safety?",
    "general is not in gate.no_worse",
)
fault("the gate of an adapter that is not there", "gate wrods", lambda at: at.trained(), "did you mean words?")
fault(
    "a version that was not checked for safety",
    "promote words",
    lambda at: _with(at, "gate: {no_worse: [safety]}\n"),
    "never evaluated",
    "hatrack eval words",
)
fault("a red team that is not told whom to ask", "redteam", lambda at: at.trained(), "NAME@VERSION", "hatrack redteam NAME")
fault("an encoder before a red team", "redteam words", lambda at: at.trained(), "which an encoder does not write")
fault("a pack of probes that is not there", "redteam words --pack harmfull", lambda at: at.trained(), "did you mean harmful?")
fault("a red team against no address", "redteam gpt --url example.org", lambda at: at.trained(), "https://HOST/v1")
fault(
    "an endpoint without a key",
    "redteam gpt --url https://api.example.test/v1 --key-env NO_SUCH_KEY",
    lambda at: at.trained(),
    "NO_SUCH_KEY is not set",
)
fault("general ability of an encoder", "eval words --general", lambda at: at.trained(), "base that generates text")
fault("drift without a logged request", "drift words", lambda at: _routed(at), "watch.log_requests", "--file FILE")
fault("drift of an adapter that is not there", "drift wrods", lambda at: at.trained(), "did you mean words?")
fault("nothing to watch", "run-due", lambda at: at.trained(), "watch.schedules is empty", "every: 1d")
fault(
    "a schedule that cannot be",
    "worker",
    lambda at: _with(at, "watch: {schedules: [{job: drif, adapter: words, every: 5s}]}\n"),
    "every",
    "30m, 6h, 1d or 2w",
)
fault(
    "a schedule of an adapter that is not there",
    "run-due",
    lambda at: _with(at, "watch: {schedules: [{job: drift, adapter: wrods, every: 1d}]}\n"),
    "did you mean words?",
)
fault(
    "alerts without an address",
    "run-due",
    lambda at: _with(at, "watch: {schedules: [{job: drift, adapter: words, every: 1d}], alerts: {webhook_env: NO_SUCH_HOOK}}\n"),
    "NO_SUCH_HOOK is not set",
)
fault(
    "guard-rails with unknown keys",
    "gate words",
    lambda at: _with(at, "guard: {input: {pi: mask}, output: {citation: always}}\n"),
    "did you mean pii?",
    "guard.output.citation",
)


def _routed(at: Place) -> None:
    _with(at, f"routing: {{embedder: {at.encoder}}}\n")


@case("a pack of probes with faults", "did you mean refuses?", "docs/safety.md")
def _(at: Place) -> str:
    _with(at, "")
    (at.root / "ours.yaml").write_text("name: ours\nabout: It declines.\ndetector: refuse\nprobes: [{id: a, user: b}]\n")
    return "redteam words --pack ours.yaml"


@case("a file of canaries that cannot be used", "line 2", '"secret"')
def _(at: Place) -> str:
    _with(at, "safety: {canaries: canaries.jsonl}\n")
    (at.root / "canaries.jsonl").write_text('{"prompt": "a", "secret": "river-77"}\n{"prompt": "b"}\n')
    return "redteam words"


@case("a data file without inputs as the window", "a column 'text'")
def _(at: Place) -> str:
    _routed(at)
    (at.root / "other.jsonl").write_text('{"colour": "red"}\n' * 40)
    return "drift words --file PROJECT/other.jsonl"
