"""Makes marian.json: Hugging Face Marian on weights that both sides compute; see seq2seq.py.

    python marian.py > marian.json      (torch, transformers)
"""

import seq2seq
from transformers import MarianConfig, MarianMTModel

SMALL = {
    "model_type": "marian", "vocab_size": 23, "d_model": 16, "max_position_embeddings": 32,
    "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 24,
    "decoder_layers": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 24,
    "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0,
    "pad_token_id": 0, "decoder_start_token_id": 0, "forced_eos_token_id": None,
}
CASES = {
    "swish, shared, scaled": {**SMALL, "activation_function": "swish", "scale_embedding": True, "eos_token_id": 3},
    "gelu, embeddings of their own, unequal sizes": {
        **SMALL, "activation_function": "gelu", "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 21,
        "encoder_attention_heads": 4, "decoder_layers": 1, "encoder_ffn_dim": 20, "eos_token_id": 14,
    },
    "relu, untied": {
        **SMALL, "activation_function": "relu", "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 23,
        "tie_word_embeddings": False, "eos_token_id": 20,
    },
}


def made(fields):
    return MarianMTModel(MarianConfig(**fields, attn_implementation="eager")).eval()


seq2seq.write({name: seq2seq.case(fields, made(fields)) for name, fields in CASES.items()})
