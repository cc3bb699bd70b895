"""The model of a mask's confidence, and its fit: log-odds that are a sum of piecewise linear functions of the features."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

RIDGE, TAIL_RIDGE = 1e-3, 1e-5

# Percentiles of each feature, from what speaks against a slice to what speaks for it, between which its effect is linear. Slices
# beyond the last one are not told apart: if all features are at their best, the model would be surer than it can know.
KNOTS = (1, 20, 80)
BEST_KNOT = 99

# A bad slice that is called good costs more than a good one that is looked at: bad slices weigh so many times as much.
BAD_WEIGHT = 1.6

# Weight of all damaged masks, as a fraction of that of the others.
DAMAGED_WEIGHT = 0.05


class Rows(NamedTuple):
    """Slices whose masks are known to be good or bad."""

    features: np.ndarray  # shape (n, features)
    good: np.ndarray  # shape (n,), bool
    weight: np.ndarray  # shape (n,)

    def of(self, kept: np.ndarray) -> Rows:
        """Return some of the rows."""
        return Rows(*(column[kept] for column in self))


class Part(NamedTuple):
    """The effect of a part of a feature's range on the log-odds: `weight` times the fraction of the part that lies below, less 1
    for features that speak for a slice; the usual value has no effect."""

    column: int
    limits: tuple[float, float]
    sign: int  # 1 for features that speak for a slice, -1 for those that speak against it
    weight: float = 0.0

    def inputs(self, features: np.ndarray) -> np.ndarray:
        """Return what is multiplied by the weight, shape (n,)."""
        low, high = self.limits
        return (np.clip(features[:, self.column], low, high) - (high if self.sign > 0 else low)) / (high - low)


class Model(NamedTuple):
    """A fitted model."""

    parts: list[Part]
    constant: float

    def score(self, features: np.ndarray) -> np.ndarray:
        """Return the log-odds that each slice is good."""
        return sum((part.weight * part.inputs(features) for part in self.parts), np.full(len(features), self.constant))

    def predicted(self, features: np.ndarray) -> np.ndarray:
        """Return the probability that each slice is good."""
        return 1 / (1 + np.exp(-self.score(features)))

    def stored(self, names: list[str]) -> dict[str, Any]:
        """Return the coefficients as `assessment` reads them; `names` are those of the features."""
        kept = [part for part in self.parts if abs(part.weight) > 1e-3]
        return {
            "features": [names[part.column] for part in kept],
            "constant": round(self.constant, 4),
            "weights": [round(part.weight, 4) for part in kept],
            "means": [round(part.limits[part.sign > 0], 4) for part in kept],
            "scales": [round(part.limits[1] - part.limits[0], 4) for part in kept],
            "limits": [[round(limit, 4) for limit in part.limits] for part in kept],
        }


def fitted(rows: Rows, signs: np.ndarray, to_the_best: np.ndarray, damaged: Rows | None = None) -> Model:
    """Return the model of the largest penalized likelihood whose effects have the given signs, shape (features,).

    `to_the_best`, bool, says for which features `BEST_KNOT` is a knot, too. Values beyond the first knot, which masks of the
    command hardly ever have, get their effect from `damaged` ones.
    """
    knots = [
        np.unique(sign * np.percentile(sign * column, (*KNOTS, BEST_KNOT) if best else KNOTS))
        for column, sign, best in zip(rows.features.T, signs, to_the_best, strict=True)
    ]
    parts = [
        Part(index, (float(low), float(high)), int(signs[index]))
        for index, of_column in enumerate(knots)
        for low, high in zip(of_column[:-1], of_column[1:], strict=True)
    ]
    model = _with_weights(parts, rows._replace(weight=np.where(rows.good, 1, BAD_WEIGHT) * rows.weight))
    if damaged is None:
        return model
    tails = []
    for index, (of_column, column, sign) in enumerate(zip(knots, damaged.features.T, signs, strict=True)):
        limits = (of_column[-1], np.percentile(column, 99)) if sign < 0 else (np.percentile(column, 1), of_column[0])
        if limits[0] < limits[1]:
            tails.append(Part(index, (float(limits[0]), float(limits[1])), int(sign)))
    both = [rows.weight / rows.weight.sum(), DAMAGED_WEIGHT * damaged.weight / damaged.weight.sum()]
    columns = (np.concatenate(pair) for pair in zip(rows, damaged, strict=True))
    return _with_weights(tails, Rows(*columns)._replace(weight=np.concatenate(both)), model)


def _with_weights(parts: list[Part], rows: Rows, base: Model | None = None) -> Model:
    """Return the model with these parts, fitted; or `base` with the parts added to it, and its own as they are."""
    inputs = np.column_stack([part.inputs(rows.features) for part in parts])
    scales = np.ones(len(parts)) if base else inputs.std(axis=0) + 1e-6
    inputs = np.column_stack([inputs / scales, np.full(len(inputs), float(base is None))])
    share, ridge = rows.weight / rows.weight.sum(), TAIL_RIDGE if base else RIDGE
    given = base.score(rows.features) if base else np.zeros(len(inputs))

    def loss(values):
        score, penalized = inputs @ values + given, np.append(values[:-1], 0)
        gradient = inputs.T @ (share * (1 / (1 + np.exp(-score)) - rows.good)) + 2 * ridge * penalized
        return (share * (np.logaddexp(0, score) - rows.good * score)).sum() + ridge * (penalized**2).sum(), gradient

    bounds = [(0, None) if part.sign > 0 else (None, 0) for part in parts] + [(None, None)]
    values = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    weighted = [part._replace(weight=float(weight)) for part, weight in zip(parts, values[:-1] / scales, strict=True)]
    return Model(base.parts + weighted, base.constant) if base else Model(weighted, float(values[-1]))


def area_under_curve(score: np.ndarray, good: np.ndarray, weight: np.ndarray) -> float:
    """Return the probability that a good slice has a higher score than a bad one, both drawn by weight."""
    order = np.argsort(score, kind="stable")
    good, weight = good[order], weight[order]
    return float(
        (np.where(good, weight, 0) * np.cumsum(np.where(good, 0, weight))).sum() / weight[good].sum() / weight[~good].sum()
    )
