"""Which of several runs is best, where it is known whether a metric should be small or large.

Somebody said so (`--metric loss=0.2:min`), for this version or another one of its dataset; else
some names speak for themselves. Of other metrics nothing is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from datacat.model import Better, Scalar, Version

_SMALL = {
    *(
        "loss",
        "error",
        "err",
        "mae",
        "mse",
        "rmse",
        "mape",
        "nll",
        "wer",
        "cer",
        "perplexity",
        "ppl",
    ),
    *("hd", "hd95", "hausdorff", "assd", "ece", "fid", "brier", "crossentropy"),
}
_LARGE = {
    *("dice", "dsc", "acc", "accuracy", "auc", "auroc", "auprc", "f1", "iou", "miou", "jaccard"),
    *("precision", "recall", "sensitivity", "specificity", "r2", "map", "bleu", "rouge", "psnr"),
    *("ssim", "kappa", "mcc"),
}
_WORDS = re.compile(r"[^a-z0-9]+")


def direction(version: Version, metric: str) -> Better | None:
    """Which values of `metric` are good, None when that is not known.

    A name speaks by its words: `val_loss`, `dice/mean`. With words of both kinds (`dice_loss`)
    small is good: what is said last of a thing is what it is.
    """
    said = version.better.get(metric)
    if said is not None:
        return said
    words = set(_WORDS.split(metric.lower()))
    if words & _SMALL:
        return Better.MIN
    return Better.MAX if words & _LARGE else None


def number(value: Scalar) -> float | int | None:
    """`value` if it can be compared: text, true and NaN cannot."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        return None
    return value


def best_so_far(version: Version, metric: str, earlier: Iterable[Version]) -> bool:
    """True when `version` beats each of `earlier` that has this metric, and there is one."""
    better, value = direction(version, metric), number(version.metrics.get(metric))
    others = [n for v in earlier if (n := number(v.metrics.get(metric))) is not None]
    if better is None or value is None or not others:
        return False
    return value < min(others) if better is Better.MIN else value > max(others)


def best_runs(versions: Sequence[Version]) -> dict[str, frozenset[int]]:
    """For each metric of known direction the numbers of the versions that are best in it.

    Metrics that fewer than two versions have, or in which all are equal, have no best.
    """
    values: dict[str, dict[int, float | int]] = {}
    known: dict[str, Better | None] = {}
    for version in versions:
        for metric, value in version.metrics.items():
            if metric not in known:
                known[metric] = direction(version, metric)
            if known[metric] is not None and (counted := number(value)) is not None:
                values.setdefault(metric, {})[version.number] = counted
    found = {}
    for metric, by_number in values.items():
        least, most = min(by_number.values()), max(by_number.values())
        if least != most:
            best = least if known[metric] is Better.MIN else most
            found[metric] = frozenset(n for n, value in by_number.items() if value == best)
    return found


def best_metrics(version: Version, best: Mapping[str, frozenset[int]]) -> list[str]:
    """The metrics in which this version is best."""
    return [name for name in version.metrics if version.number in best.get(name, ())]
