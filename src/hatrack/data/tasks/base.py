"""A task turns documents into prompts and answers. Its answers are pieces of the document, or a model's and then supported by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hatrack.core.chat import Message
from hatrack.core.config_prepare import DocumentTasks
from hatrack.core.errors import ConfigError
from hatrack.core.plugins import Plugins
from hatrack.data.tasks.document import Document
from hatrack.data.tasks.support import SupportReport

__all__ = ["DOCUMENT_TASKS", "DocumentTask", "Pair", "TaskContext", "TextGenerator"]

TextGenerator = Callable[[Sequence[tuple[Message, ...]]], list[str]]  # conversations in, one reply for each out


@dataclass(frozen=True, slots=True)
class Pair:
    """What is asked, what is answered, and the document both are from."""

    prompt: str
    answer: str
    document: Document


@dataclass(frozen=True)
class TaskContext:
    """What tasks share.

    Attributes:
        seed: chooses the phrasings.
        generator: the model that writes, for the tasks that need one.
        report: counts what it wrote.
    """

    settings: DocumentTasks
    seed: int
    generator: TextGenerator | None = None
    report: SupportReport = field(default_factory=SupportReport)

    def ask(self, kind: str, prompts: Sequence[str], shown: tuple[Message, ...] = ()) -> list[str]:
        """The model's reply to each prompt, asked after the turns ``shown``: an example of what is wanted.

        Raises:
            ConfigError: no model was named.
        """
        if self.generator is None:
            raise ConfigError(
                f"the task {kind} is written by a model, and none is named",
                given="prepare.documents.model: null",
                allowed="a base, as under `base`",
                fix="set prepare: {documents: {model: ...}}, or leave qa and summary out of prepare.documents.kinds",
            )
        return self.generator([(*shown, Message("user", prompt)) for prompt in prompts]) if prompts else []


class DocumentTask(Protocol):
    """One kind of row."""

    def pairs(self, documents: Sequence[Document], context: TaskContext) -> Iterator[Pair]:
        """Rows of a few documents, in their order, at most ``settings.per_section`` from one section."""
        ...


DOCUMENT_TASKS: Plugins[type[DocumentTask]] = Plugins(
    "document_task",
    {
        "title-to-section": "hatrack.data.tasks.title_to_section:TitleToSection",
        "section-to-summary": "hatrack.data.tasks.section_to_summary:SectionToSummary",
        "cloze": "hatrack.data.tasks.cloze:Cloze",
        "heading-question": "hatrack.data.tasks.heading_question:HeadingQuestion",
        "qa": "hatrack.data.tasks.qa:QuestionAnswer",
        "summary": "hatrack.data.tasks.summary:WrittenSummary",
    },
)
