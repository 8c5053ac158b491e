"""Encodes texts with the Rust library tokenizers: `python tokenizers.peer.py TOKENIZER.json`, its threads by RAYON_NUM_THREADS.

Each line of stdin is a JSON object: {"texts": FILE} reads a JSON list of texts; {"encode": "encode_batch"}
encodes them and answers {"seconds", "cpuSeconds", "tokens"}; {"ids": FILE} writes the ids of each text
(uint32, a count before each) of the last encoding.
"""
import array
import json
import sys
import time

from tokenizers import Tokenizer, __version__

tokenizer = Tokenizer.from_file(sys.argv[1])
texts, encoded = [], []
print(json.dumps({"version": __version__}), flush=True)
for line in sys.stdin:
    work = json.loads(line)
    answer = {}
    if "texts" in work:
        with open(work["texts"], encoding="utf-8") as f:
            texts = json.load(f)
    elif "encode" in work:
        encoded = []
        start, cpu = time.perf_counter(), time.process_time()
        encoded = getattr(tokenizer, work["encode"])(texts, add_special_tokens=False)
        answer = {"seconds": time.perf_counter() - start, "cpuSeconds": time.process_time() - cpu}
        answer["tokens"] = sum(len(e) for e in encoded)
    elif "ids" in work:
        with open(work["ids"], "wb") as f:
            for e in encoded:
                ids = e.ids
                array.array("I", [len(ids), *ids]).tofile(f)
    print(json.dumps(answer), flush=True)
