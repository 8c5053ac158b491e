"""Makes t5.json: Hugging Face T5 on weights that both sides compute; see seq2seq.py.

    python t5.py > t5.json      (torch, transformers)

`buckets` lists the reference's bucket of the distances -200 .. 200 by [buckets, maxDistance, bidirectional].
The reference ties the head in any case; where the config says that it is not tied, it gets its own here.
"""

import seq2seq
import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

SMALL = {
    "model_type": "t5", "vocab_size": 23, "d_model": 16, "d_kv": 6, "d_ff": 24, "num_heads": 2,
    "num_layers": 2, "num_decoder_layers": 2, "dropout_rate": 0.0,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10,
    "pad_token_id": 0, "decoder_start_token_id": 0,
}
CASES = {
    "relu, tied": {**SMALL, "feed_forward_proj": "relu", "tie_word_embeddings": True, "eos_token_id": 19},
    "gated-gelu, untied, unequal depths": {
        **SMALL, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_decoder_layers": 1,
        "layer_norm_epsilon": 1e-3, "eos_token_id": 15,
    },
}


def made(fields):
    model = T5ForConditionalGeneration(T5Config(**fields, attn_implementation="eager")).eval()
    if not fields["tie_word_embeddings"]:
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.shared.weight))
    return model


def buckets(count, distance, both):
    steps = torch.arange(-200, 201)
    found = T5Attention._relative_position_bucket(steps, both, count, distance).tolist()
    return {"options": [count, distance, both], "buckets": found}


seq2seq.write(
    {name: seq2seq.case(fields, made(fields)) for name, fields in CASES.items()},
    buckets=[buckets(count, far, both) for count, far in [(32, 128), (8, 10)] for both in (True, False)],
)
