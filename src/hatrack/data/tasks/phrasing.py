"""How a task is put to the model: a few phrasings for each kind and language, chosen by a hash, so that nothing is random."""

from __future__ import annotations

from hatrack.core.digest import sha256_text

__all__ = ["PHRASES", "phrase"]

# kind, then language; a document in another language gets the English ones
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "title-to-section": {
        "en": (
            "Write the section “{name}” of the document “{title}”.",
            "What does the section “{name}” in “{title}” say? Give its text.",
            "From “{title}”: draft the part headed “{name}”.",
        ),
        "fr": (
            "Rédige la section « {name} » du document « {title} ».",
            "Que dit la section « {name} » de « {title} » ? Donne son texte.",
            "Dans « {title} », écris la partie intitulée « {name} ».",
        ),
        "de": (
            "Schreibe den Abschnitt „{name}“ des Dokuments „{title}“.",
            "Was steht im Abschnitt „{name}“ von „{title}“? Gib den Text wieder.",
            "Aus „{title}“: Verfasse den Teil mit der Überschrift „{name}“.",
        ),
    },
    "summary": {
        "en": (
            "Summarise this text in one or two sentences.\n\n{text}",
            "What are the main points of this section?\n\n{text}",
            "{text}\n\nGive the essence of the text above in at most two sentences.",
        ),
        "fr": (
            "Résume ce texte en une ou deux phrases.\n\n{text}",
            "Quel est l’essentiel de cette section ?\n\n{text}",
            "{text}\n\nDonne l’essentiel du texte ci-dessus en deux phrases au plus.",
        ),
        "de": (
            "Fasse diesen Text in einem oder zwei Sätzen zusammen.\n\n{text}",
            "Was ist das Wesentliche dieses Abschnitts?\n\n{text}",
            "{text}\n\nGib den Kern des obigen Textes in höchstens zwei Sätzen wieder.",
        ),
    },
    "cloze": {
        "en": (
            "Which term is missing in this sentence of “{title}”?\n\n{sentence}",
            "Fill in the blank with the term that “{title}” uses:\n\n{sentence}",
            "“{title}” defines a term here. Name it.\n\n{sentence}",
        ),
        "fr": (
            "Quel terme manque dans cette phrase de « {title} » ?\n\n{sentence}",
            "Complète par le terme qu’emploie « {title} » :\n\n{sentence}",
            "« {title} » définit ici un terme. Lequel ?\n\n{sentence}",
        ),
        "de": (
            "Welcher Begriff fehlt in diesem Satz aus „{title}“?\n\n{sentence}",
            "Ergänze den Begriff, den „{title}“ verwendet:\n\n{sentence}",
            "„{title}“ bestimmt hier einen Begriff. Welchen?\n\n{sentence}",
        ),
    },
}


def phrase(kind: str, language: str, seed: int, **parts: str) -> str:
    """One phrasing of ``kind`` with its parts filled in; which one depends on the seed and the parts alone."""
    options = PHRASES[kind].get(language, PHRASES[kind]["en"])
    chosen = int(sha256_text("\n".join([str(seed), kind, *parts.values()]))[:8], 16) % len(options)
    return options[chosen].format(**parts)
