"""Words that a text about a prediction may use without claiming a fact, and words that say which way something pushes."""

from __future__ import annotations

import re

__all__ = ["DENIALS", "DOWN", "NEUTRAL", "REASON", "UP"]

_RAISE = r"rais\w+|increas\w+|push\w* (?:\w+ ){0,4}?up|pushes|pushed|higher|adds?|added|boost\w*|lift\w*|drives? up|drove up|up"
_LOWER = (
    r"lower\w*|reduc\w+|decreas\w+|bring\w* (?:\w+ ){0,4}?down|brought (?:\w+ ){0,4}?down|pull\w* (?:\w+ ){0,4}?down|smaller|cuts?|down"
)
UP = re.compile(rf"\b(?:{_RAISE})\b")
DOWN = re.compile(rf"\b(?:{_LOWER})\b")
REASON = re.compile(
    r"\b(?:because|due to|owing to|reasons?|factors?|caus\w+|driven by|drivers?|explain\w*|since|thanks to|based on|on account of|"
    r"result\w* from|weigh\w*|count\w*|contribut\w+|matter\w*|speak\w*|play\w* a role|influenc\w+|affect\w*|stem\w*|lies? in)\b"
)
DENIALS = re.compile(r"\b(?:not|no|never|neither|nor|n't|without|hardly)\b")

NEUTRAL = frozenset(
    """
    a an the this that these those it its they them their he she his her we our us you your yours i my me who which what whose there
    here and or but nor so yet if then than as at by for from in into of off on onto out over per to under up down upon with within
    about above after again against all almost along also although among amount an any are around be because been before being below
    between both can case cases causes caused clearly client customer applicant applicants application applications account's
    compared comes came considerably could counted counts contribute contributes contributed contributing contribution contributions
    decide decides decided decision decisions did do does doing driven driver drivers due each effect either else enough even every
    explain explained explains explanation factor factors far few figure figures finally find first further furthermore get given
    gives great greater greatly had has have having hence high higher how however increase increased increases increasing influence
    influenced influences is itself just large larger largely largest last least less let level likelihood likely little low lower
    lowered lowering lowers made main mainly make makes many matter matters mean means model models moderate moreover more most mostly
    moved moves much namely near of often once one ones only other others otherwise overall owing own part partly play plays point
    points predict predicted prediction predicts probability probabilities push pushed pushes pushing put puts pull pulled pulls
    quite raise raised raises raising rather reason reasons reduce reduced reduces reducing reflects regard remaining result resulted
    results risk role same say says score scored scores scoring second seem seems shows significant significantly since single size
    slightly small smaller smallest some somewhat speak speaks still stood strong stronger strongest strongly such sum system term
    terms thanks therefore third thus time together too top toward towards trend two type until use used uses value values very was
    way weigh weighed weighs weight well were when where whereas while will would yes bring brings bringing brought add added adds
    adding average background based basis estimate estimated estimates exact fact facts favour favor following follows important
    importance include includes keep kept lie lies lift lifted lifts listed log logodds odds percent percentage place present rate
    rated rating record recorded records related stands start starts starting state stated states total unit units account accounts
    chance chances month months year years old day days euro euros dollar dollars threshold cut cutoff chosen choose chooses class
    boost boosts boosted drive drives drove currently noted note mention respectively side sides sized stem stems training typical
    """.split()
)
