"""LangChain's cache of model answers, in the file where the project keeps its own: one SQLite file, bounded in age and size.

What LangChain gives as the model's string must say which weights answered: ``HatrackChat`` puts the digest of its version
into it, so that nothing a version said is repeated for the next one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.messages import message_to_dict, messages_from_dict
from langchain_core.outputs import ChatGeneration, Generation

from hatrack.answering.cache import AnswerCache
from hatrack.answering.kept import KeptAnswer
from hatrack.core.config_file import read_config
from hatrack.core.digest import sha256_json
from hatrack.core.project import Project

__all__ = ["HatrackCache"]

_OWNER = "langchain"  # kept apart from what the server keeps; no key of a tenant can be this and a slash


class HatrackCache(BaseCache):
    """Keeps answers as ``serve.cache`` says: for ``ttl`` seconds, in at most ``max_mb``. Safe for threads and processes.

    Args:
        project: the project's folder.
        tenant: answers are given again only within one tenant.

    Raises:
        ConfigError: there is no usable ``hatrack.yaml``.
    """

    def __init__(self, project: str | Path = ".", tenant: str = "") -> None:
        place = Project(Path(project).absolute())
        rules = read_config(place.root).serve.cache
        self._tenant = f"{_OWNER}/{tenant}"
        self._answers = AnswerCache(place.answers, ttl=rules.ttl, max_bytes=rules.max_mb * 1e6)

    def lookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        """What was answered to this very prompt by this very model; None where nothing was, or not lately."""
        found = self._answers.get(self._key(prompt, llm_string))
        return None if found is None else _read(found.answer.text)

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keep an answer, from now on. A disk that refuses is a warning in the log: the answer is there all the same."""
        text = json.dumps([_written(one) for one in return_val], ensure_ascii=False)
        self._answers.put(self._key(prompt, llm_string), KeptAnswer(text, (), "stop", 0, 0), tenant=self._tenant, digest="")
        self._answers.flush()

    def clear(self, **kwargs: Any) -> None:
        """Forget what this tenant's LangChain answers are; those of the server stay.

        Raises:
            StorageError: the file cannot be written.
        """
        self._answers.clear(tenant=self._tenant)

    def close(self) -> None:
        """Close the file."""
        self._answers.close()

    def _key(self, prompt: str, llm_string: str) -> str:
        return sha256_json([self._tenant, prompt, llm_string])


def _written(one: Generation) -> dict[str, Any]:
    written: dict[str, Any] = {"text": one.text, "info": one.generation_info}
    return {**written, "message": message_to_dict(one.message)} if isinstance(one, ChatGeneration) else written


def _read(text: str) -> list[Generation]:
    """Plain messages alone: no class is looked up by a name that stands in a file."""
    found: list[Generation] = []
    for one in json.loads(text):
        if "message" in one:
            [message] = messages_from_dict([one["message"]])
            found.append(ChatGeneration(message=message, generation_info=one["info"]))
        else:
            found.append(Generation(text=one["text"], generation_info=one["info"]))
    return found
