"""A classifier that was exported by Hatrack. It needs transformers and torch: python classify.py "some text"."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

__all__ = ["Classifier"]


class Classifier:
    """Texts to labels: mean of the last hidden states, scaled to length one, against one vector for each label."""

    def __init__(self, folder: Path | str) -> None:
        said = json.loads((Path(folder) / "labels.json").read_text(encoding="utf-8"))
        self.labels, self.max_length = said["labels"], said["max_length"]
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.encoder = AutoModel.from_pretrained(folder).eval()
        self.head = load_file(Path(folder) / "head.safetensors")["weight"]

    @torch.inference_mode()
    def logits(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        kept = attention_mask.unsqueeze(-1).to(hidden.dtype)
        vectors = torch.nn.functional.normalize((hidden * kept).sum(1) / kept.sum(1), dim=1)
        return vectors @ self.head.T

    def __call__(self, texts: list[str]) -> list[tuple[str, float]]:
        read = self.tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=self.max_length)
        best = self.logits(read["input_ids"], read["attention_mask"]).softmax(1).max(1)
        return [(self.labels[i], round(share, 4)) for i, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


if __name__ == "__main__":
    for text, (label, share) in zip(sys.argv[1:], Classifier(Path(__file__).parent)(sys.argv[1:]), strict=True):
        sys.stdout.write(f"{label}\t{share}\t{text}\n")
