"""Personal data on presidio-research's synthetic set: our base pack, our extra, and Presidio out of the box, in one run.

    python benchmarks/run.py pii --data FOLDER           the figures
    python benchmarks/pii/bench.py --data FOLDER --errors 20    the same, with what was missed and what was found wrongly

Matching follows the evaluator that published the set's figures (presidio-research, SpanEvaluator, IoU 0.7): texts become
tokens, tokens that say nothing (punctuation, stop words, "street", "Mr.") are left off the ends of a span, neighbouring
spans of one type become one, and a span is right when the characters shared with what was found in its place are at least
0.7 of their union. ``PII`` asks only whether something personal was found there, which is what was published (as F2,
recall counting twice: 0.618 out of the box with en_core_web_lg, 0.845 customised, on 1,500 rows); ``typed`` asks for the
type too. The tokens are cut here by a regular expression and not by spaCy, and the list of words that say nothing is
spaCy's and a few of our own, so the third digit may differ from theirs.

Rules were worked on with the rows whose template falls into one half by hash, and are reported on the other half: no
template is in both. Figures of all rows carry ``_all``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from spacy.lang.en.stop_words import STOP_WORDS

from hatrack.safety.recognisers import names
from hatrack.safety.recognisers.base import Finding, without_overlaps
from hatrack.safety.recognisers.models import ENTITY_MODELS, installed
from hatrack.safety.recognisers.patterns import Patterns
from hatrack.safety.recognisers.presidio import Presidio

COUNTRIES = ("US", "IN", "FR", "GB", "DE")
IOU = 0.7
# What a pattern can decide: these types are the claim of the base pack. The set holds no driver's licence in its public part.
STRUCTURED = ("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "PHONE_NUMBER", "URL", "US_DRIVER_LICENSE", "US_SSN")
# The set's names, and ours, in Presidio's.
ALIGN = {"STREET_ADDRESS": "LOCATION", "GPE": "LOCATION", "ZIP_CODE": "LOCATION", "DOMAIN_NAME": "URL", "DATE_OF_BIRTH": "DATE_TIME"}
NOT_PRESIDIO = ("TITLE", "AGE", "ORGANIZATION", "STREET_ADDRESS", "ZIP_CODE")  # it does not look for the first three by default

EMPTY = STOP_WORDS | {"'s", "st", "st.", "street", "de", "rue", "via", "address", "country", "state", "city", "zip", "po", "box", "apt"}
EMPTY |= {"unit", "suite", "corner", "mr.", "mrs.", "miss", "year", "years", "month", "months", "week", "weeks", "day", "days", "old"}
EMPTY |= {"age", "ago", "morning", "noon", "night", "evening", "inc", "inc.", "ltd"}
TOKEN = re.compile(r"(?:mrs?|inc|st)\.(?=\s|$)|'s\b|\w+|[^\w\s]", re.IGNORECASE)
WORD = re.compile(r"\w")

Span = tuple[int, int, str]
Found = list[Span]
Finder = Callable[[str], Found]
Counts = dict[str, Counter[str]]


def read(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def reported(row: dict) -> bool:
    """Whether the row is in the half that figures are reported on."""
    return hashlib.sha256(f"template {row['template_id']}".encode()).digest()[0] % 2 == 1


def merged(text: str, spans: Found, typed: bool) -> Found:
    """Spans as the published evaluator sees them: of tokens, without empty words at the ends, neighbours of one type as one."""
    out: list[list] = []
    open_ended = False  # nothing but empty words since the last span
    for token in TOKEN.finditer(text):
        start, end = token.span()
        kinds = [kind for first, last, kind in spans if start < last and first < end]
        empty = token.group().lower() in EMPTY or not WORD.search(token.group())
        if not kinds:
            open_ended = open_ended and empty
            continue
        kind = ALIGN.get(kinds[-1], kinds[-1]) if typed else "PII"
        if out and open_ended and out[-1][2] != kind:
            open_ended = False
        if empty:
            continue
        if out and open_ended:
            out[-1][1] = end
        else:
            out.append([start, end, kind])
        open_ended = True
    return [tuple(span) for span in out]


def compare(rows: list[dict], found: list[Found], typed: bool, errors: list[str] | None = None) -> Counts:
    """True positives, false positives and false negatives of each type."""
    counts: Counts = defaultdict(Counter)

    def wrong(side: str, kind: str, text: str, start: int, end: int) -> None:
        counts[kind][side] += 1
        if errors is not None:
            errors.append(f"{side} {kind:16} {text[start:end]!r} in {text[max(0, start - 40) : end + 30]!r}")

    for row, spans in zip(rows, found, strict=True):
        text = row["text"]
        right = merged(text, [(s["start"], s["end"], s["type"]) for s in row["spans"]], typed)
        given, used = merged(text, spans, typed), set()
        for start, end, kind in right:
            there = [number for number, (first, last, _) in enumerate(given) if first < end and start < last]
            used.update(there)
            hit = False
            for other in dict.fromkeys(given[number][2] for number in there):
                same = [given[number][:2] for number in there if given[number][2] == other]
                shared = sum(min(end, last) - max(start, first) for first, last in same)
                union = max(end, same[-1][1]) - min(start, same[0][0])
                if other == kind and shared / union >= IOU:
                    hit = True
                else:
                    wrong("fp", other, text, same[0][0], same[-1][1])
            if hit:
                counts[kind]["tp"] += 1
            else:
                wrong("fn", kind, text, start, end)
        for number, (start, end, kind) in enumerate(given):
            if number not in used:
                wrong("fp", kind, text, start, end)
    return counts


def figures(counts: Counts) -> tuple[float, float, float, float]:
    """Precision, recall, F1 and F2 over all types."""
    tp, fp, fn = (sum(count[side] for count in counts.values()) for side in ("tp", "fp", "fn"))
    precision, recall = tp / max(1, tp + fp), tp / max(1, tp + fn)
    f1, f2 = ((1 + b * b) * precision * recall / max(1e-9, b * b * precision + recall) for b in (1, 2))
    return precision, recall, f1, f2


def table(name: str, counts: Counts) -> None:
    print(f"\n{name}\n{'type':18} {'n':>5} {'precision':>10} {'recall':>8} {'F1':>6}")
    for kind, count in sorted(counts.items(), key=lambda item: -item[1]["tp"] - item[1]["fn"]):
        precision, recall, f1, _ = figures({kind: count})
        print(f"{kind:18} {count['tp'] + count['fn']:5} {precision:10.3f} {recall:8.3f} {f1:6.3f}")
    print("{:18} {:5} {:10.3f} {:8.3f} {:6.3f}".format("all", sum(c["tp"] + c["fn"] for c in counts.values()), *figures(counts)))


def of_types(rows: list[dict], found: list[Found], kinds: Callable[[str], bool]) -> tuple[list[dict], list[Found]]:
    """Rows and findings with nothing but some types."""
    kept = [{**row, "spans": [s for s in row["spans"] if kinds(ALIGN.get(s["type"], s["type"]))]} for row in rows]
    return kept, [[span for span in spans if kinds(ALIGN.get(span[2], span[2]))] for spans in found]


def ours(recogniser: Patterns | Presidio) -> Finder:
    return lambda text: [(f.start, f.end, f.type) for f in recogniser.find(text)]


def out_of_the_box(model: Path) -> Finder:
    """Presidio with its own defaults and the threshold of the published run, but for the NER model, which must be here."""
    import presidio_analyzer
    import tldextract
    import yaml
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # or it asks the network
    settings = yaml.safe_load((Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml").read_text())
    settings["models"] = [{"lang_code": "en", "model_name": str(model)}]
    engine = presidio_analyzer.AnalyzerEngine(
        nlp_engine=NlpEngineProvider(nlp_configuration=settings).create_engine(), default_score_threshold=0.4
    )

    def find(text: str) -> Found:
        found = [Finding(r.entity_type, r.start, r.end, r.score) for r in engine.analyze(text, language="en")]
        return [(f.start, f.end, f.type) for f in without_overlaps(found)]  # the surer one, as its anonymiser does

    return find


def speed(data: Path) -> dict[str, float]:
    """Kilobytes of UTF-8 that the base pack reads in a second of one core; the best of three."""
    files = {"": ("pii/presidio_synth", "text"), "_legal": ("legal/cuad_clauses", "text"), "_medical": ("medical/medquad", "answer")}
    recogniser, rates = Patterns(COUNTRIES), {}
    for suffix, (folder, key) in files.items():
        texts = [row[key] for row in read(data / folder / "train.jsonl")[:1500] if row[key]]
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            for text in texts:
                recogniser.find(text)
            best = min(best, time.process_time() - start)
        rates[f"kb_per_s{suffix}"] = sum(len(text.encode()) for text in texts) / best / 1000
    return rates


def run(data: Path, work: Path, errors: int = 0) -> dict[str, float]:
    rows = read(data / "pii" / "presidio_synth" / "train.jsonl")
    half = [number for number, row in enumerate(rows) if reported(row)]
    pipelines = {model.wheel: folder for model in ENTITY_MODELS if (folder := installed(model)) is not None}
    extra = Presidio(COUNTRIES)
    finders = {"base": ours(Patterns(COUNTRIES)), "extra": ours(extra), "presidio": out_of_the_box(next(iter(pipelines.values())))}
    print(f"{len(rows)} rows, {len(half)} of them reported; names by {' and '.join(extra.models)}; Presidio with {next(iter(pipelines))}")
    if len(pipelines) > 1:  # the extra with the smaller spaCy model as well
        names.ENTITY_MODELS = tuple(model for model in ENTITY_MODELS if model.wheel == list(pipelines)[-1])
        finders["extra_small"] = ours(Presidio(COUNTRIES))
        names.ENTITY_MODELS = ENTITY_MODELS

    claims: dict[str, float] = {}
    for name, find in finders.items():
        start = time.process_time()
        found = [find(row["text"]) for row in rows]
        claims[f"{name}_cpu_seconds_all"] = time.process_time() - start
        for suffix, chosen in (("", half), ("_all", list(range(len(rows))))):
            some, theirs = [rows[number] for number in chosen], [found[number] for number in chosen]
            key = "presidio_f1" if name == "presidio" else f"f1_{name}"
            missed: list[str] | None = [] if errors and not suffix else None
            typed = compare(some, theirs, typed=True, errors=missed)
            _, _, claims[key + suffix], claims[key.replace("f1", "f2") + suffix] = figures(compare(some, theirs, typed=False))
            claims[f"{key}_typed{suffix}"] = figures(typed)[2]
            if not suffix:
                table(f"{name}, reported half", typed)
            for line in (missed or [])[:errors]:
                print(line)
            if name == "base":
                structured = compare(*of_types(some, theirs, STRUCTURED.__contains__), typed=True)
                claims["structured_precision" + suffix], claims["structured_recall" + suffix], _, _ = figures(structured)
            if name == "presidio" and suffix:
                own = compare(*of_types(some, theirs, lambda kind: kind not in NOT_PRESIDIO), typed=False)
                claims["presidio_f2_own_types_all"] = figures(own)[3]
    claims |= speed(data)
    return {key: round(value, 4) for key, value in claims.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--errors", type=int, default=0, help="so many errors of each system are printed")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.data, Path(), arguments.errors), indent=1))
