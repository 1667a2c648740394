"""Every loss once more, from its paper: example by example and class by class, in the order of the formula.

Nothing of `losses/` is used. Logits are small here, so that exp and log may stand as the papers write them.
z are the logits of one example, y its label, n the training examples of each class.
"""

import torch
from torch import Tensor


def probabilities(z: Tensor) -> list[Tensor]:
    total = sum(score.exp() for score in z)
    return [score.exp() / total for score in z]


def cross_entropy(z, y, n):
    return -probabilities(z)[y].log()


def label_smoothing(z, y, n, smoothing=0.1):
    """Szegedy et al. 2016, section 7: q'(k) = (1 - eps) delta + eps / K."""
    p, total = probabilities(z), 0
    for c in range(len(z)):
        target = (1 - smoothing) * (c == y) + smoothing / len(z)
        total = total - target * p[c].log()
    return total


def focal(z, y, n, gamma=2.0, smoothing=0.0):
    """Lin et al. 2017, equation 4, for every class by its share in the smoothed target."""
    p, total = probabilities(z), 0
    for c in range(len(z)):
        target = (1 - smoothing) * (c == y) + smoothing / len(z)
        total = total - target * (1 - p[c]) ** gamma * p[c].log()
    return total


def ldam(z, y, n, max_margin=0.5, scale=30.0):
    """Cao et al. 2019, equations 12 and 13, z being s times cosines; C makes the largest margin max_margin."""
    constant = max_margin / max(count**-0.25 for count in n if count)
    margin = constant / n[y] ** 0.25 if n[y] else max_margin
    cosines = z / scale
    own = (scale * (cosines[y] - margin)).exp()
    others = sum((scale * cosines[j]).exp() for j in range(len(z)) if j != y)
    return -(own / (own + others)).log()


def balanced_softmax(z, y, n):
    """Ren et al. 2020, equation 3: phi_y = n_y exp(z_y) / sum_i n_i exp(z_i)."""
    counts = [max(count, 1) for count in n]
    return -(counts[y] * z[y].exp() / sum(count * score.exp() for count, score in zip(counts, z, strict=True))).log()


def logit_adjustment(z, y, n, tau=1.0):
    """Menon et al. 2021, equation 10: log(1 + sum over y' other than y of (pi_y' / pi_y)^tau exp(z_y' - z_y))."""
    counts = [max(count, 1) for count in n]
    others = [c for c in range(len(z)) if c != y]
    return (1 + sum((counts[c] / counts[y]) ** tau * (z[c] - z[y]).exp() for c in others)).log()


def poly1(z, y, n, epsilon=1.0):
    """Leng et al. 2022, equation 5."""
    p = probabilities(z)[y]
    return -p.log() + epsilon * (1 - p)


def dice(z, y, n, alpha=0.01, smooth=1.0):
    """Li et al. 2020, equation 11: 1 - (2 (1 - p)^alpha p y + gamma) / ((1 - p)^alpha p + y + gamma), a class."""
    total = 0
    for c, p in enumerate(probabilities(z)):
        a, is_label = (1 - p) ** alpha * p, float(c == y)
        total = total + 1 - (2 * a * is_label + smooth) / (a + is_label + smooth)
    return total


def generalized_cross_entropy(z, y, n, q=0.7):
    """Zhang and Sabuncu 2018, equation 6."""
    return (1 - probabilities(z)[y] ** q) / q


def symmetric_cross_entropy(z, y, n, alpha=6.0, reverse=0.1, log_zero=-4.0):
    """Wang et al. 2019: alpha * -sum q log p + beta * -sum p log q, where log 1 = 0 and log 0 = A."""
    p = probabilities(z)
    straight = -sum(float(c == y) * p[c].log() for c in range(len(z)))
    exchanged = -sum(p[c] * (0.0 if c == y else log_zero) for c in range(len(z)))
    return alpha * straight + reverse * exchanged


FORMULAS = {
    "cross_entropy": cross_entropy,
    "label_smoothing": label_smoothing,
    "focal": focal,
    "ldam": ldam,
    "balanced_softmax": balanced_softmax,
    "logit_adjustment": logit_adjustment,
    "poly1": poly1,
    "dice": dice,
    "generalized_cross_entropy": generalized_cross_entropy,
    "symmetric_cross_entropy": symmetric_cross_entropy,
}


def class_weights(kind: str, n: list[int], beta: float | None) -> list[float]:
    """1 / n, or 1 / E_n of Cui et al. 2019 by its recursion E_n = 1 + beta E_(n-1); mean 1 over classes that occur."""
    if kind == "none":
        return [1.0] * len(n)
    raw = []
    for count in n:
        effective = 0.0
        for _ in range(max(count, 1)):
            effective = 1 + (0.9999 if beta is None else beta) * effective
        raw.append(1 / (max(count, 1) if kind == "inverse_frequency" else effective))
    present = [weight for weight, count in zip(raw, n, strict=True) if count]
    return [weight * len(present) / sum(present) for weight in raw]


def simple(name: str, options: dict, n: list[int], logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted values (B,) and weights (B,) of a loss that looks at logits only."""
    options = dict(options)
    if name == "inverse_frequency":
        name, options = "label_smoothing", {"smoothing": 0.0, **options, "class_weights": name}
    if name == "class_balanced":
        name, options = "label_smoothing", {"smoothing": 0.0, **options, "class_weights": name}
    table = class_weights(options.pop("class_weights", "none"), n, options.pop("beta", None))
    weights = torch.tensor([table[y] for y in labels.tolist()], dtype=torch.float64)
    values = [FORMULAS[name](z, y, n, **options) for z, y in zip(logits, labels.tolist(), strict=True)]
    return torch.stack(values) * weights, weights


def divergence(first: list[Tensor], second: list[Tensor]) -> Tensor:
    return sum(p * (p / q).log() for p, q in zip(first, second, strict=True))


def contrast(features: Tensor, labels: list[int], row: int, seen: list[int], temperature: float):
    """Khosla et al. 2020, equation 2, one anchor: A(i) is `seen`, P(i) those of its label."""
    z = [vector / vector.square().sum().sqrt() for vector in features]
    partners = [p for p in seen if labels[p] == labels[row]]
    if not partners:
        return features.new_zeros(())
    below = sum(((z[row] * z[a]).sum() / temperature).exp() for a in seen)
    terms = [((((z[row] * z[p]).sum() / temperature).exp()) / below).log() for p in partners]
    return -sum(terms) / len(partners)


def paper(name: str, options: dict, n: list[int], output, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Values (B,), which contain the weights, and weights (B,), from B * views rows."""
    if name not in ("r_drop", "supervised_contrastive"):
        return simple(name, options, n, output.logits, labels)
    views = 2 if name == "r_drop" else options.get("views", 2)
    values, weights = simple(
        options.get("base", "cross_entropy"), options.get("base_options") or {}, n, output.logits, labels
    )
    values, weights = values.view(-1, views).mean(dim=1), weights[::views]
    added = []
    for example in range(len(values)):
        if name == "r_drop":
            first, second = (probabilities(output.logits[2 * example + view]) for view in (0, 1))
            agreement = (divergence(first, second) + divergence(second, first)) / 2
            added.append(options.get("alpha", 1.0) * agreement)
            continue
        group = example // options.get("group", 8)
        rows = [r for r in range(len(labels)) if r // views // options.get("group", 8) == group]
        own = range(example * views, (example + 1) * views)
        one = [
            contrast(output.features, labels.tolist(), r, [a for a in rows if a != r], options.get("temperature", 0.1))
            for r in own
        ]
        added.append(options.get("factor", 0.1) * sum(one) / views)
    return values + torch.stack(added) * weights, weights
