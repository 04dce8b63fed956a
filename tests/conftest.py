"""What all tests share: tiny models of real architectures, projects on disk, a closed network."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hatrack import __file__ as package

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes of tests share the cores: threads of each would only wait for those of the others.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))))

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = [
    "the",
    "a",
    "is",
    "of",
    "and",
    "to",
    "in",
    "red",
    "green",
    "blue",
    "apple",
    "river",
    "stone",
    "cloud",
    "tree",
    "bird",
    "fish",
    "lamp",
    "chair",
    "table",
    "one",
    "two",
    "three",
    "four",
]


# Files of few tests that take long: begun last, one of them would leave all but one process idle at the end.
_LONG = ("tests/real/", "tests/studio/", "tests/test_doc_blocks.py", "tests/test_examples.py", "tests/workflows/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))  # stable: within a file nothing changes


def pytest_configure(config: pytest.Config) -> None:
    # F17: nothing in these tests, and nothing in the code they call, may leave this machine.
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and not (str(host).startswith("127.") or host in ("::1", "localhost")):
            raise OSError(f"tests may not connect to {host}")
        return real(self, address)

    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of its own for the tests on tiny models; the real models keep theirs, see ``real_cache``."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("HATRACK_CACHE")
    os.environ["HATRACK_REAL_CACHE"] = before or str(Path.home() / ".cache" / "hatrack")
    os.environ["HATRACK_CACHE"] = str(folder)
    # Kernels are compiled once for all runs, and anew when one of them was changed.
    kernels = sorted((Path(package).parent / "serving" / "kernels").glob("*.py"))
    source = hashlib.sha256(b"".join(file.read_bytes() for file in kernels)).hexdigest()[:12]
    os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(os.environ["HATRACK_REAL_CACHE"]) / "kernels" / source))
    yield folder
    if before is None:
        del os.environ["HATRACK_CACHE"]
    else:
        os.environ["HATRACK_CACHE"] = before


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> None:
    """What earlier modules left for good is not searched for garbage again and again; training collects it often."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def real_cache(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, where a bundled model is converted once for all runs."""
    monkeypatch.setenv("HATRACK_CACHE", os.environ["HATRACK_REAL_CACHE"])
    return Path(os.environ["HATRACK_REAL_CACHE"])


def make_tokenizer(template: str | None = CHATML) -> Any:
    """A byte-level BPE tokenizer: any text in, the same text out."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<unk>", "<s>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = template
    return tokenizer


def make_causal(folder: Path, *, layers: int = 3, seed: int = 0, template: str | None = CHATML, width: int = 48) -> Path:
    """A tiny Llama with random weights, saved like a real one."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer(template)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_encoder(folder: Path, *, layers: int = 2, seed: int = 0, width: int = 48) -> Path:
    """A tiny BERT with random weights, saved like a real one."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    # written out, not learned: the library's WordPiece trainer numbers its words differently in every process
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *WORDS]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    raw = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    cls, sep = raw.token_to_id("[CLS]"), raw.token_to_id("[SEP]")
    raw.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]")
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=128,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("models") / "tiny-bert")


def label_rows(count: int = 60, labels: Sequence[str] = ("red", "green", "blue"), seed: int = 0) -> list[dict[str, Any]]:
    """Rows that can be told apart by a word, with no two texts alike."""
    import random

    rng = random.Random(seed)
    rows = []
    for i in range(count):
        label = labels[i % len(labels)]
        words = [rng.choice(WORDS[10:]) for _ in range(4)]
        rows.append({"id": f"r{i}", "text": f"{words[0]} {label} {words[1]} {words[2]} {i} {words[3]}", "label": label})
    return rows


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


ProjectMaker = Callable[..., Path]


@pytest.fixture
def make_project(tmp_path: Path, tiny_causal: Path, tiny_encoder: Path) -> ProjectMaker:
    """``make_project(task=..., rows=..., train={...}, name="first", **adapter keys)`` writes a project and returns its folder."""

    def make(
        task: str = "classify",
        rows: Sequence[dict[str, Any]] | None = None,
        *,
        name: str = "first",
        folder: str = "project",
        base: Path | None = None,
        train: dict[str, Any] | None = None,
        **keys: Any,
    ) -> Path:
        root = tmp_path / folder
        write_jsonl(root / "data.jsonl", label_rows() if rows is None else rows)
        settings = {"epochs": 2, "batch_size": 8, "max_length": 64, **(train or {})}
        default_base = tiny_encoder if task == "classify" else tiny_causal
        adapter = {"data": "data.jsonl", "task": task, "r": 4, "alpha": 8, "train": settings, **keys}
        config = {"base": str(base or default_base), "adapters": {name: adapter}}
        (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        return root

    return make


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Runner = Callable[..., Ran]


@pytest.fixture
def hatrack(capsys: pytest.CaptureFixture[str]) -> Runner:
    """``hatrack("train", "first", project=folder)`` runs a command in this process and returns code, stdout and stderr."""
    from hatrack.cli.main import main

    def run(*arguments: str, project: Path | None = None) -> Ran:
        given = [*arguments, *(["--project", str(project)] if project else [])]
        code: Any = 0
        try:
            main(given)
        except SystemExit as stopped:
            code = stopped.code or 0
        seen = capsys.readouterr()
        return Ran(int(code), seen.out, seen.err)

    return run


DATA = Path(os.environ.get("HATRACK_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture
def public_data() -> Path:
    """Public data sets, where a developer has them beside the project."""
    if not DATA.is_dir():
        pytest.skip(f"no public data sets at {DATA}; set HATRACK_TEST_DATA")
    return DATA
