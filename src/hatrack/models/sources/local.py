"""A base model in a folder of this machine, or a GGUF file."""

from __future__ import annotations

from pathlib import Path

from hatrack.core.digest import sha256_file
from hatrack.core.errors import ModelCorrupt, ModelNotFound
from hatrack.models.sources.base import Report
from hatrack.models.sources.gguf import convert_gguf

__all__ = ["Local", "check_model_folder"]


class Local:
    """Paths: absolute, starting with a dot or ``~``, or simply existing."""

    name = "local"

    def claims(self, spec: str) -> bool:
        return spec.startswith(("/", ".", "~")) or (spec != "" and Path(spec).exists())  # Path("") is this folder

    def fetch(self, spec: str, cache: Path, report: Report) -> Path:
        path = Path(spec).expanduser().absolute()
        if path.is_file() and path.suffix == ".gguf":
            return convert_gguf(path, cache / "converted" / f"{path.stem}-{sha256_file(path)[:12]}", report)
        if not path.is_dir():
            raise ModelNotFound(
                "there is no base model at this path",
                given=str(path),
                allowed="a folder with config.json, tokenizer and safetensors, or a .gguf file",
                fix="correct the key `base` in hatrack.yaml",
            )
        check_model_folder(path)
        return path


def check_model_folder(path: Path) -> None:
    """Refuse a folder that lacks a config, or that has weights in no safe format (F22).

    Raises:
        ModelCorrupt: what is missing.
    """
    if not (path / "config.json").is_file():
        raise ModelCorrupt("this folder is no transformers model", given=f"{path}: no config.json", allowed="config.json")
    if not list(path.glob("*.safetensors")):
        pickled = [p.name for p in (*path.glob("*.bin"), *path.glob("*.pt"), *path.glob("*.pth"))]
        raise ModelCorrupt(
            "this model has no safetensors weights",
            given=", ".join(pickled) or f"{path}: no weights",
            allowed="*.safetensors; pickled weights can run code and are never opened",
            fix="ask its publisher for safetensors" if pickled else "",
        )
