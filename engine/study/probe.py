"""Linear probes: how much of the task a frozen backbone's states already tell, by pooling and layer.

Every sentence passes the backbone once; a multinomial logistic regression then reads each pooling of each layer.

Legend: N examples, F features, T tokens, H hidden size. Layer 0 is the output of the embedding, k that of layer k.
"""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import psutil
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm
from transformers import PreTrainedModel

from data.batch import collate
from data.store.token_store import TokenStore
from engine.plan import evaluation_batches
from models.backbone import hidden_states
from models.pooling import Pooling

Cell = tuple[str, int]  # pooling, layer


@torch.no_grad()
def features(
    model: PreTrainedModel,
    poolings: dict[str, Pooling],
    probed: list[Cell],
    store: TokenStore,
    rows: np.ndarray,
    batch_size: int,
    title: str,
) -> dict[Cell, np.ndarray]:
    """Features (len(rows), F) float32 of each cell, in the order of `rows`. Raises ValueError where memory ends."""
    needed = 4 * len(rows) * sum(poolings[name].features for name, _ in probed)
    if needed > 0.8 * psutil.virtual_memory().available:
        raise ValueError(
            f"--rows: {len(rows):,} rows of {len(probed)} poolings and layers take {needed / 2**30:.1f} GiB, but "
            f"{psutil.virtual_memory().available / 2**30:.1f} GiB are free; take fewer --rows, --layers or --poolings"
        )
    model.eval()
    matrices = {cell: np.empty((len(rows), poolings[cell[0]].features), dtype=np.float32) for cell in probed}
    every = model.config.backbone.num_hidden_layers + 1
    [shares] = evaluation_batches(store.lengths[rows], batch_size, 1)
    for share in tqdm(shares, desc=title, unit=" batches", leave=False, disable=None):
        batch, _ = collate(store, rows[share.index])
        batch = batch.to(model.device)
        states = hidden_states(model.backbone, batch, layers=every)  # (layers + 1, T, H)
        for (name, layer), matrix in matrices.items():
            matrix[share.index] = poolings[name](states[layer], batch).float().cpu().numpy()
    return matrices


def probe(
    train: np.ndarray, labels: np.ndarray, dev: np.ndarray, classes: int, strength: float, seed: int
) -> np.ndarray:
    """Probabilities (N, C) of the dev features by a logistic regression on standardised training features (N, F).

    `strength`: scikit-learn's C, the inverse of the L2 penalty. A class without a training row gets probability 0.
    """
    scaler = StandardScaler().fit(train)
    regression = LogisticRegression(C=strength, max_iter=300, tol=1e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps are enough for the score
        regression.fit(scaler.transform(train), labels)
    probabilities = np.zeros((len(dev), classes))
    probabilities[:, regression.classes_] = regression.predict_proba(scaler.transform(dev))
    return probabilities


def draws(count: int, share: float, seeds: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """(seed, rows): for each seed another part of `count` rows, the same for every pooling and layer."""
    for seed in seeds:
        yield seed, np.sort(np.random.default_rng(seed).permutation(count)[: max(2, round(share * count))])
