"""Clusters texts with datatrove's MinHash stages: `python dedup.py TEXTS.json BANDS ROWS NGRAM`.

TEXTS.json is a list of texts. Prints {"version", "cpuSeconds", "clusters": a number for each text, equal within a cluster}.
Signatures, buckets and clusters are datatrove's own pipeline steps, in a folder in memory where /dev/shm is there. The clock
(processor time) starts when texts and word tokenizer are loaded.
"""
import json
import os
import struct
import sys
import tempfile
import time

# tqdm draws bars on stderr otherwise.
os.environ["TQDM_DISABLE"] = "1"

try:
    from importlib.metadata import version
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupSignature,
    )
    from datatrove.utils.logging import logger

    logger.remove()
    bands, rows, ngram = map(int, sys.argv[2:5])
    config = MinhashConfig(n_grams=ngram, num_buckets=bands, hashes_per_bucket=rows)
    probe = MinhashDedupSignature(tempfile.mkdtemp(), config=config)
    probe.get_signature(probe.get_shingles("a text to load the tokenizer with and to try the hash"))
except (ImportError, TypeError) as error:
    # xxhash 4 takes bytes alone, which datatrove 0.10 does not give it.
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(3)

with open(sys.argv[1], encoding="utf-8") as f:
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(json.load(f))]

with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
    signatures, buckets, clusters = (os.path.join(folder, name) for name in ("signatures", "buckets", "clusters"))
    step = MinhashDedupSignature(signatures, config=config)
    step.word_tokenizer, step._parameters = probe.word_tokenizer, probe.parameters
    start = time.process_time()
    step.run(iter(documents))
    for bucket in range(bands):
        MinhashDedupBuckets(signatures, buckets, config=config).run(rank=bucket, world_size=bands)
    MinhashDedupCluster(buckets, clusters, config=config, save_cluster_id=True).run(None)
    seconds = time.process_time() - start
    result = [-1 - i for i in range(len(documents))]
    path = os.path.join(clusters, "000000.clusters")
    if os.path.exists(path):
        with open(path, "rb") as f:
            for document, cluster in struct.iter_unpack("<II", f.read()):
                result[document] = cluster

print(json.dumps({"version": version("datatrove"), "cpuSeconds": seconds, "clusters": result}))
