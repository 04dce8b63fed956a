"""A tiny BERT that scores pairs: with weights of chance, or by one word that its passage holds."""

from __future__ import annotations

from pathlib import Path

__all__ = ["make_cross_encoder"]


def make_cross_encoder(folder: Path, *, outputs: int = 1, word: str | None = None) -> Path:
    """A sequence-classification model, saved like a real one.

    Args:
        word: passages with this token score high and all others low, by weights set by hand.
    """
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    from conftest import make_encoder

    tokenizer = AutoTokenizer.from_pretrained(make_encoder(folder, layers=1))
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=128,
        initializer_range=0.3,
        num_labels=outputs,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = BertForSequenceClassification(config)
    if word is not None:
        _listen_for(model, tokenizer.convert_tokens_to_ids(word))
    model.save_pretrained(folder)
    return folder


def _listen_for(model: object, token: int) -> None:
    """Attention looks at everything alike, one direction of the hidden state is the word's, and the head reads it."""
    import torch

    bert = model.bert
    with torch.no_grad():
        for parameter in bert.parameters():
            parameter.zero_()
        bert.embeddings.word_embeddings.weight[:, 1] = 1.0  # so that the norm of a layer keeps how large the first one is
        bert.embeddings.word_embeddings.weight[token, 0] = 4.0
        bert.embeddings.LayerNorm.weight.fill_(1.0)
        layer = bert.encoder.layer[0]
        layer.attention.self.value.weight[0, 0] = 5.0
        layer.attention.output.dense.weight[0, 0] = 5.0
        for norm in (layer.attention.output.LayerNorm, layer.output.LayerNorm):
            norm.weight.fill_(1.0)
        bert.pooler.dense.weight[0, 0] = 0.1
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.weight[-1, 0] = 5.0
