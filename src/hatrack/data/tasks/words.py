"""The words of a text that carry its content: without stop words, stemless, case folded. And its numbers and names."""

from __future__ import annotations

import re

from hatrack.data.tasks.sentences import sentences

__all__ = ["content_words", "folded_words", "names", "numbers"]

_WORD = re.compile(r"[^\W\d_]+")
_SPACE = "[ \u00a0\u202f]"
_NUMBER = re.compile(rf"(?<!\d)\d{{1,3}}(?:{_SPACE}\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,:/]\d+)*")
_STOP_WORDS = """
    a about above after again against all also am an and any are as at be because been before being below between both but by can could
    did do does doing down during each few for from further had has have having he her here hers him his how i if in into is it its just
    may me might more most must my no nor not now of off on once only or other our out over own same shall she should so some such than
    that the their them then there these they this those through to too under until up upon very was we were what when where which while
    who whom whose why will with within without would you your
    au aux avec ce ces cet cette ceux comme dans de des donc du elle elles en entre est et eu eux fait font il ils je la le les leur leurs
    lui ma mais me mes moi mon ne nos notre nous on ont ou où par pas peut plus pour qu quand que quel quelle quelles quels qui quoi sa
    sans se sera ses si son sont sous sur ta te tes toi ton tous tout toute toutes tu un une vos votre vous été être avoir aussi cela
    aber alle allem allen aller alles als also am an auch auf aus bei bin bis bist da damit dann das dass dem den denn der des die dies
    diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines er es etwas für gegen hat haben hier ich ihm ihn
    ihnen ihr ihre ihrem ihren ihrer im in ist ja kann kein keine mit muss müssen nach nicht noch nun nur oder ohne sehr sein seine
    seinem seinen seiner sich sie sind so soll sollen sondern über um und uns unter vom von vor wann war was weil wenn wer werden wie wir
    wird wo wurde zu zum zur zwischen
"""
_STOP = frozenset(_STOP_WORDS.split())


def folded_words(text: str) -> list[str]:
    """Every word of letters, case folded; what an apostrophe or a hyphen joins is two."""
    return _WORD.findall(text.casefold())


def content_words(text: str) -> list[str]:
    """The words without single letters and without the stop words of English, French and German."""
    return [word for word in folded_words(text) if len(word) > 1 and word not in _STOP]


def numbers(text: str) -> list[str]:
    """Numbers as they are written: ``3.50``, ``2,5``, ``12/2024``, ``3 500`` with any space as a plain one."""
    return [re.sub(_SPACE, " ", number) for number in _NUMBER.findall(text)]


def names(text: str) -> list[str]:
    """Capitalised words that do not open a sentence, and words in capitals anywhere."""
    found = []
    for sentence in sentences(text):
        for position, word in enumerate(_WORD.findall(sentence)):
            if len(word) > 1 and (word.isupper() or (position and word[0].isupper())) and word.casefold() not in _STOP:
                found.append(word)
    return found
