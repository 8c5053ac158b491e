"""A linear model of texts by scikit-learn: the log-odds of two LogisticRegressions, added: of TfidfVectorizer's words and their pairs
with C = 10, and of pieces of words of 2 to 6 characters (CountVectorizer, char_wb, in two texts or more) times log-count ratios with
C = 0.1.
"""

import json
import pathlib

import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

good = ["a warm and lovely film", "lovely acting and a warm story", "funny and moving", "a moving film with warm humour"]
bad = ["a dull and tedious mess", "tedious acting and a dull story", "neither funny nor moving", "a messy film without any humour"]
odd = ["the cat sat on the mat", "a cat and a dog and a cat", "dogs sit on mats"]
unseen = ["a loveliest story", "dullness and tedium", "a cat without humour", "zzz", "moving moving moving"]


def odds(texts, own):
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\S+")
    fit = lambda rows, c: LogisticRegression(C=c, tol=1e-10, max_iter=10_000).fit(rows, own)
    total = fit(words.fit_transform(texts), 10).decision_function(words.transform(unseen))
    pieces = CountVectorizer(binary=True, analyzer="char_wb", ngram_range=(2, 6), min_df=2)
    counts = pieces.fit_transform(texts).astype(float)
    have, lack = (1 + np.asarray(counts[own == side].sum(0)).ravel() for side in (1, 0))
    ratios = sp.diags(np.log(have / have.sum()) - np.log(lack / lack.sum()))
    new = pieces.transform(unseen).astype(float) @ ratios
    return (total + fit(counts @ ratios, 0.1).decision_function(new)).tolist()


two = [*good, *bad]
three = [*two, *odd]
labels = np.array([1] * 4 + [0] * 4 + [2] * 3)
golden = {
    "scikit-learn": sklearn.__version__,
    "unseen": unseen,
    "two": {"texts": two, "labels": labels[:8].tolist(), "odds": [odds(two, (labels[:8] == 1).astype(int))]},
    "three": {"texts": three, "labels": labels.tolist(), "odds": [odds(three, (labels == k).astype(int)) for k in range(3)]},
}
file = pathlib.Path(__file__).with_suffix(".json")
file.write_text(json.dumps(golden, indent=1) + "\n")
