"""A threshold for a false accept rate, measured on this data with these models.

One idea: strangers are everywhere, pairs across names, so the curve of likeness against false accept rate can be read
off any data set, however noisy; and what one person's photos look like is the upper part of the pairs within names.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import groupby, islice
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.score_norm import Calibration, Floats, Seen, Tail, View, doubled, likeness, seen, some
from pipeline.tables.columns import texts, vectors
from pipeline.tables.prefetch import READ_THREADS, prefetch
from pipeline.tables.table import Shard, read_shard, read_shards

# Faces a dimension: the weight of "strangers lie evenly on the sphere" against the faces seen. A face's own name is
# among what is seen of strangers, and must not weigh much. From 2 to 10 noise F1 on 683 real names moves by 0.0007.
PRIOR = 5.0
FEWEST_PAIRS = 5000  # of strangers, below which the curve is a normal distribution's
RATES = np.geomspace(0.3, 0.01, 16)  # where the curve is measured: below, people under two names pass for strangers
RIDGE = 1e-3  # added to variances, so that one model given twice is no singular case
IDENTITIES, FACES = 1200, 3  # of each identity: 6.5 million pairs of strangers
ROWS = 128  # faces compared with all others at a time: 4 MB
KEPT = 0.35  # share of the pairs of strangers, the likest, that are kept for the curve
CALIBRATION = pa.schema(
    [
        ("embedder", pa.int8()),  # 0 the first, 1 the second, -1 their sum
        ("weight", pa.float64()),
        ("a", pa.float64()),
        ("b", pa.float64()),
        ("c", pa.float64()),
        ("same", pa.float64()),
        ("spread", pa.float64()),
        ("share", pa.float64()),
        ("mean", pa.list_(pa.float64())),
        ("covariance", pa.list_(pa.float64())),
    ]
)


class Strangers(NamedTuple):
    """Pairs of strangers in short: how many, and mean [e] and covariance [e, e] of how alike they are to embedders."""

    n: int
    mean: Floats
    covariance: Floats


def calibration_shard(part: tuple[Sequence[Shard], ...], *, root: str) -> pa.Table:
    """The calibration of a data set: part holds each embedder's embeddings, all shards of them.

    IDENTITIES names are drawn by a hash of the name and FACES of each by face_id, so how the data is dealt to shards
    does not matter, and memory does not grow with the data.
    """
    names: set[str] = set()
    for table in read_shards(root, part[0], ["identity"]):
        names.update(n for n in table["identity"].unique().to_pylist() if n is not None)
    drawn = sorted(names, key=lambda n: blake2b(n.encode("utf-8", "surrogateescape")).digest())[:IDENTITIES]
    chosen = partial(_drawn, root, drawn=pa.array(drawn, pa.string()))
    rows = [
        row for some in prefetch(chosen, zip(*part, strict=True), threads=READ_THREADS, per_thread=1) for row in some
    ]
    rows.sort(key=lambda row: (row[0], row[1]))
    _, codes = np.unique([row[0] for row in rows], return_inverse=True) if rows else (None, np.empty(0, np.int64))
    x = [np.array([row[2][e] for row in rows]) for e in range(len(part))]
    if not rows:
        x = [vectors(read_shard(root, s[0], ["x"])["x"])[0][:0] for s in part]
    return to_table(calibrate(x, identity=codes))


def _drawn(root: str, shards: Sequence[Shard], drawn: pa.Array) -> list[tuple[str, str, list[NDArray[Any]]]]:
    """Identity, face_id and each embedder's vector of the drawn faces in one shard."""
    first = read_shard(root, shards[0], ["face_id", "identity"])
    wanted = np.asarray(pc.is_in(first["identity"], value_set=drawn))
    if not wanted.any():
        return []
    found = [vectors(read_shard(root, shard, ["x"])["x"]) for shard in shards]
    wanted &= np.logical_and.reduce([there for _, there in found])
    at = np.flatnonzero(wanted)
    names, faces = (texts(first[c].take(pa.array(at))) for c in ("identity", "face_id"))
    order = sorted(range(len(at)), key=lambda n: (names[n], faces[n]))
    chosen = [n for _, of in groupby(order, key=lambda n: names[n]) for n in islice(of, FACES)]
    # copied: a row of the shard's vectors would keep all of them in memory
    return [(names[n], faces[n], [x[at[n]].copy() for x, _ in found]) for n in chosen]


def to_table(found: Calibration) -> pa.Table:
    """A calibration as a table: a row for each embedder, and one, -1, for their sum."""
    rows: list[dict[str, Any]] = [
        {"embedder": e, "weight": w, **t._asdict(), "mean": v.mean, "covariance": v.covariance.ravel()}
        for e, (v, w, t) in enumerate(zip(found.views, found.weights, found.tails, strict=True))
    ]
    rows.append({"embedder": -1, **found.tail._asdict()} | {k: getattr(found, k) for k in ("same", "spread", "share")})
    return pa.Table.from_pylist(rows, schema=CALIBRATION)


def from_table(table: pa.Table) -> Calibration:
    """The calibration that to_table() wrote."""
    *each, both = table.drop_columns(["mean", "covariance"]).to_pylist()
    means, covariances = (
        [column[e].values.to_numpy() for e in range(len(each))] for column in (table["mean"], table["covariance"])
    )
    views = tuple(View(m, c.reshape(len(m), len(m))) for m, c in zip(means, covariances, strict=True))
    tails = [Tail(r["a"], r["b"], r["c"]) for r in (*each, both)]
    weights = tuple(r["weight"] for r in each)
    return Calibration(views, weights, tuple(tails[:-1]), tails[-1], both["same"], both["spread"], both["share"])


@lru_cache(maxsize=4)
def read_calibration(root: str, shard: Shard) -> Calibration:
    """The calibration in the one shard of a table of them; a process keeps it, for every shard of a stage asks."""
    return from_table(read_shard(root, shard))


def calibrate(x: Sequence[NDArray[Any]], *, identity: NDArray[Any]) -> Calibration:
    """The calibration of a sample: x, for each embedder [n, d] unit rows of the same n faces; identity [n] codes.

    Take a few faces of each of many identities, so that no one weighs more than others. Names need not be right:
    strangers are pairs across names, of which a few in ten thousand are one person; the same person is the upper part
    of a mixture fitted to the pairs within names.
    """
    views = tuple(view(rows) for rows in x)
    others = [_as_if_new(doubled(seen(rows, v)), identity) for rows, v in zip(x, views, strict=True)]
    strangers, within = _moments(others, identity)
    weights, same, spread, share = _weigh(strangers, within)
    ways = np.vstack([np.eye(len(x)), weights])
    *tails, tail = (fit_tail(_upper(others, identity, strangers.n, way), strangers.n) for way in ways)
    return Calibration(views, weights, tuple(tails), tail, same, spread, share)


def _pairs(faces: Sequence[Seen], identity: NDArray[Any]) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """How alike the faces of each pair are to each embedder [n, e], and whether they are under one name [n].

    Some rows at a time, and anew each time they are asked for: all of them would fill ten times as much memory as the
    rest of the stage, and take longer to sort than to make.
    """
    n = len(identity)
    for at in range(0, n, ROWS):
        rows, rest = slice(at, at + ROWS), slice(at, n)
        later = np.arange(at, n)[None] > np.arange(at, min(at + ROWS, n))[:, None]
        alike = np.stack([likeness(some(f, rows), some(f, rest))[later] for f in faces], 1)
        yield alike, (identity[rows, None] == identity[None, rest])[later]


def _moments(faces: Sequence[Seen], identity: NDArray[Any]) -> tuple[Strangers, Floats]:
    """The strangers in short, and how alike the faces of each pair within a name are to each embedder [m, e]."""
    n, total = 0, np.zeros(len(faces))
    squares: Floats = np.zeros((len(faces), len(faces)))
    within: list[Floats] = [np.empty((0, len(faces)))]
    for alike, same in _pairs(faces, identity):
        strangers = alike[~same]
        n, total = n + len(strangers), total + strangers.sum(0)
        squares = squares + strangers.T @ strangers
        within.append(alike[same])
    mean = total / max(n, 1)
    return Strangers(n, mean, (squares - n * np.outer(mean, mean)) / max(n - 1, 1)), np.concatenate(within)


def _upper(faces: Sequence[Seen], identity: NDArray[Any], n: int, weights: Floats) -> Floats:
    """The weighted likenesses of the likest of the n pairs of strangers, at least the share RATES[0] of them.

    What the first rows show tells how alike that is; where they mislead, it is tried again with less.
    """
    share = KEPT if n >= FEWEST_PAIRS else 1.0
    found = np.empty(n)  # room for all; of what is never filled the system makes no memory
    while True:
        least, end = -np.inf, 0
        for alike, same in _pairs(faces, identity):
            z = alike[~same] @ weights
            if share < 1 and np.isinf(least) and len(z):
                least = float(np.quantile(z, 1 - share))
            upper = z[z >= least]
            found[end : end + len(upper)] = upper
            end += len(upper)
        if share == 1 or end > RATES[0] * n + 1:
            return found[:end]
        share = min(1.0, 1.5 * share)


def _as_if_new(faces: Seen, identity: NDArray[Any]) -> Seen:
    """The faces that made a view, seen as if their own name had not been among the strangers, as new faces are."""
    sums = np.empty((3, len(identity)))  # of the faces of one's name: how many, their cosines, these squared
    for at in range(0, len(identity), ROWS):
        rows = slice(at, at + ROWS)
        same = identity[rows, None] == identity[None]
        mine = np.where(same, faces.x[rows] @ faces.x.T, 0.0)
        sums[:, rows] = same.sum(1), mine.sum(1), (mine**2).sum(1)
    n, (own, first, squares) = len(identity) + PRIOR * faces.x.shape[1], sums
    second = (n * (faces.deviation**2 + faces.mean**2) - squares) / (n - own)
    mean = (n * faces.mean - first) / (n - own)
    return faces._replace(mean=mean, deviation=np.sqrt(np.maximum(second - mean**2, 1e-9)))


def view(x: NDArray[Any]) -> View:
    """Mean and covariance of unit rows x [n, d], drawn towards an even sphere when n is small."""
    n, d = x.shape
    x = np.asarray(x, np.float64)
    mean = x.sum(0) / (n + PRIOR * d)
    second = (x.T @ x + PRIOR * np.eye(d)) / (n + PRIOR * d)
    return View(np.round(mean, 9), np.round(second - np.outer(mean, mean), 9))


def fit_tail(z: Floats, of: int) -> Tail:
    """The curve of strangers' likenesses, read between FAR 0.3 and 0.01 and drawn on below; z is sorted on the way.

    z: of so many likenesses the largest, all of them when they are fewer than FEWEST_PAIRS. What lies beyond 0.01 is
    where one person under two names would be taken for strangers who look alike.
    """
    if of < FEWEST_PAIRS:
        mean, deviation = (float(z.mean()), float(z.std())) if of > 30 else (0.0, 1.0)
        return Tail(round(mean, 6), round(max(deviation, 0.5), 6), 0.1)
    u = np.array([NormalDist().inv_cdf(1 - far) for far in RATES])
    place = (of - 1) * (1 - RATES) - (of - len(z))  # in z, were it sorted
    low = place.astype(int)
    z.partition(np.unique([low, low + 1]))
    levels = z[low] + (place - low) * (z[low + 1] - z[low])
    c, b, a = np.polyfit(u, levels, 2)
    if c < 0:  # a curve that turns back would accept everybody in the end
        (b, a), c = np.polyfit(u, levels, 1), 0.0
    return Tail(round(float(a), 6), round(float(b), 6), round(float(c), 6))


def _weigh(strangers: Strangers, within: Floats) -> tuple[tuple[float, ...], float, float, float]:
    """Weights of the embedders (Fisher's discriminant, strangers at unit deviation), and the same person's curve."""
    dims = within.shape[1]
    if strangers.n < FEWEST_PAIRS or len(within) < 100:
        return tuple(round(1 / dims, 6) for _ in range(dims)), 6.0, 1.5, 0.5
    mean0, cov0 = strangers.mean, strangers.covariance + RIDGE * np.eye(dims)
    mean1, cov1, share = _same(within, mean0, cov0)
    weights = np.maximum(np.linalg.solve((cov0 + cov1) / 2, mean1 - mean0), 0.0)
    weights /= np.sqrt(weights @ cov0 @ weights)
    return (
        tuple(round(float(w), 6) for w in weights),
        round(float(weights @ mean1), 6),
        round(float(np.sqrt(weights @ cov1 @ weights)), 6),
        round(share, 6),
    )


def _same(within: Floats, mean0: Floats, cov0: Floats) -> tuple[Floats, Floats, float]:
    """Mean, covariance and share of the pairs within names that are one person.

    Expectation maximisation of two normal distributions, the strangers' one held fast.
    """
    top = within[within.sum(1) >= np.quantile(within.sum(1), 0.7)]
    mean1, cov1, share = top.mean(0), np.atleast_2d(np.cov(top.T)) + np.eye(len(mean0)), 0.5
    for _ in range(60):
        odds = np.log(share / (1 - share)) + _log_normal(within, mean1, cov1) - _log_normal(within, mean0, cov0)
        p = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        share = float(np.clip(p.mean(), 0.01, 0.99))
        mean1 = p @ within / p.sum()
        cov1 = (within - mean1).T @ ((within - mean1) * p[:, None]) / p.sum() + RIDGE * np.eye(len(mean0))
    return mean1, cov1, share


def _log_normal(x: Floats, mean: Floats, cov: Floats) -> Floats:
    d = x - mean
    return np.asarray(-0.5 * (np.einsum("ni,ij,nj->n", d, np.linalg.inv(cov), d) + np.linalg.slogdet(cov)[1]))
