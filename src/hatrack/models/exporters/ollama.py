"""``ollama``: a GGUF model and a ``Modelfile`` that asks it as it was trained: template, system prompt, stop tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hatrack.core.errors import HatrackError, TemplateError
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.gguf import gguf_refusal, open_gguf, write_gguf_parts
from hatrack.models.gguf.model import check_writable
from hatrack.models.render import ChatRenderer
from hatrack.models.turns import Turns, take_apart

__all__ = ["Ollama", "go_template", "modelfile"]

_DEFAULT = ("Q8_0",)
_CONTEXT = 4096


class Ollama:
    """``Modelfile`` for the first precision, ``Modelfile.PRECISION`` for any other."""

    name = "ollama"
    summary = "a GGUF model with a Modelfile for Ollama"
    library = "gguf"

    def refusal(self, source: Source) -> str:
        found = gguf_refusal(source)
        if found:
            return found
        try:
            take_apart(_renderer(source))
        except HatrackError as error:
            return f"{error.what}: {error.given}"
        return ""

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        parts = []
        for number, part in enumerate(write_gguf_parts(source, folder, source.precisions or _DEFAULT)):
            name = "Modelfile" if number == 0 else f"Modelfile.{part.name}"
            (folder / name).write_text(modelfile(source, part.files[0]), encoding="utf-8")
            parts.append(Part(part.name, (*part.files, name), part.full))
        return tuple(parts)

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        return open_gguf(source, folder / part.files[0])

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        return (
            f"```sh\nollama create {source.name} --file {parts[0].files[-1]}\nollama run {source.name}\n```\n\n"
            "The figures below were measured with llama.cpp, which Ollama runs the model with; Ollama itself was not asked."
        )


def modelfile(source: Source, gguf: str) -> str:
    """The Modelfile for one GGUF file.

    Raises:
        TemplateError: template or system prompt hold three quotes in a row, which a Modelfile cannot.
    """
    renderer = _renderer(source)
    turns = take_apart(renderer)
    _, vocabulary = check_writable(source.files)
    bos = source.files.tokenizer.bos_token
    if vocabulary.begins and isinstance(bos, str):  # llama.cpp begins every text with it already
        turns = _without(turns, bos)
    system = source.card.system if source.card else None
    template = go_template(turns)
    for text in (template, system or ""):
        if '"""' in text or text.endswith('"'):
            raise TemplateError("a Modelfile ends a text at quotes, and this one holds them", given=repr(text[-60:]), fix="export `gguf`")
    context = min(source.files.positions or _CONTEXT, _CONTEXT)
    stops = source.files.tokenizer.convert_ids_to_tokens(sorted(renderer.stop_ids))
    return "\n".join(
        [
            f"# {source.title}, made by hatrack export --to ollama",
            f"FROM ./{gguf}",
            f'TEMPLATE """{template}"""',
            *([f'SYSTEM """{system}"""'] if system else []),
            *(f"PARAMETER stop {_quoted(stop)}" for stop in stops),
            "PARAMETER temperature 0",
            f"PARAMETER num_ctx {context}",
            "",
        ]
    )


def go_template(turns: Turns) -> str:
    """The marks as a template of Go's ``text/template``, over the fields that Ollama fills in."""
    roles = "{{ else if ".join(
        f'eq .Role "{role}" }}}}{_literal(turns.before[role])}{{{{ .Content }}}}{_literal(turns.after[role])}'
        for role in ("system", "user", "assistant")
    )
    start = f'{{{{ if ne (index .Messages 0).Role "system" }}}}{_literal(turns.plain_start)}{{{{ end }}}}' if turns.plain_start else ""
    return f"{start}{{{{ range .Messages }}}}{{{{ if {roles}{{{{ end }}}}{{{{ end }}}}{_literal(turns.generate)}"


def _renderer(source: Source) -> ChatRenderer:
    return ChatRenderer(source.files.tokenizer, source.files.stop_ids)


def _without(turns: Turns, bos: str) -> Turns:
    before = {**turns.before, "system": turns.before["system"].removeprefix(bos)}
    return Turns(turns.plain_start.removeprefix(bos), before, turns.after, turns.generate)


def _literal(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'
