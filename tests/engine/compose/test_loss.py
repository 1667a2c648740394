"""The loss of a run: made from the training part's class counts, warned about, trained through the loop."""

import json
import warnings

import numpy as np
import pytest
import torch

from data.labels import label_list
from engine.loop import train
from losses.counts import inverse_frequency

KLUE = label_list("klue")


def counts_of(path) -> torch.Tensor:
    """Examples of each of KLUE's classes in a file."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return torch.tensor([sum(row["label"] == label for row in rows) for label in KLUE])


def test_class_counts_are_the_training_parts_with_a_place_for_missing_classes(start, tmp_path, sample_files):
    """One class in the middle of the list is gone, and the last one, both of which dev may have."""
    in_both = (counts_of(sample_files["train"]) > 0) & (counts_of(sample_files["dev"]) > 0)
    middle = next(label for label, both in zip(KLUE[1:-1], in_both.tolist()[1:-1], strict=True) if both)
    rows = json.loads(sample_files["train"].read_text(encoding="utf-8"))
    path = tmp_path / "missing.json"
    kept = [row for row in rows if row["label"] not in (middle, KLUE[-1])]
    path.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    with pytest.warns(UserWarning, match="loss.name: inverse_frequency reads how many training examples") as caught:
        run = start(loss__name="inverse_frequency", data__train=path)
    counts = counts_of(path)
    assert counts[KLUE.index(middle)] == counts[-1] == 0
    weights = run.parts.loss_fn.class_weight
    assert weights.shape == (30,)
    assert torch.equal(weights, inverse_frequency(counts))
    [told] = [str(one.message) for one in caught if "loss.name" in str(one.message)]
    absent = [label for label, count in zip(KLUE, counts.tolist(), strict=True) if not count]
    assert f"{len(absent)} of 30 have none and count as if they had one: " in told
    assert absent[0] in told


def messages(start, **given) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start(**given)
    return [str(one.message) for one in caught if str(one.message).startswith(("loss.", "train."))]


@pytest.mark.parametrize(
    "given, told",
    [
        ({"loss__name": "focal"}, []),  # reads no counts: absent classes are no news
        ({"loss__name": "ldam"}, ["loss.name: ldam reads how", "loss.name: the margins of ldam are meant for cosines"]),
        # two epochs of three updates each, of which four are made
        ({"loss__name": "inverse_frequency", "loss__drw_epoch": 2, "train__epochs": 3, "train__max_updates": 4},
         ["loss.name: inverse_frequency reads how", "loss.drw_epoch has no effect: got 2, but the last of 4 updates"]),
        ({"loss__name": "inverse_frequency", "loss__drw_epoch": 1, "train__epochs": 3, "train__max_updates": 4},
         ["loss.name: inverse_frequency reads how"]),
        ({"loss__name": "r_drop"}, ["loss.name: 2 views of an example are all the same, since every dropout is 0"]),
        ({"loss__name": "supervised_contrastive"}, ["loss.name: 2 views of an example are all the same"]),
        ({"loss__name": "supervised_contrastive", "loss__views": 1}, []),
        ({"loss__name": "r_drop", "model__dropout": 0.1}, []),
        ({"loss__name": "r_drop", "model__dropout": "null", "model__head_options.dropout": 0}, []),  # the backbone's
        ({"loss__name": "r_drop", "model__dropout": 0.1, "loss__base": "ldam"},
         ["loss.name: r_drop reads how", "loss.name: the margins of ldam are meant for cosines"]),
        ({"loss__name": "ldam", "model__head": "cosine"}, ["loss.name: ldam reads how"]),
        ({"loss__name": "inverse_frequency", "loss__drw_epoch": 2, "train__epochs": 2},
         ["loss.name: inverse_frequency reads how", "loss.drw_epoch has no effect: got 2, but the last of 6"]),
        ({"loss__name": "inverse_frequency", "loss__drw_epoch": 1, "train__epochs": 2},
         ["loss.name: inverse_frequency reads how"]),
        ({"loss__name": "r_drop", "loss__base": "class_balanced", "loss__base_options": "{drw_epoch: 9}",
          "train__epochs": 2, "model__dropout": 0.1},
         ["loss.name: r_drop reads how", "loss.base_options.drw_epoch has no effect: got 9"]),
        ({"loss__name": "focal", "loss__drw_epoch": 1}, ["loss.drw_epoch has no effect: loss.class_weights is none"]),
        ({"loss__name": "focal", "loss__beta": 0.9}, ["loss.beta has no effect"]),
        ({"train__micro_tokens": 1000}, []),
        ({"train__micro_tokens": 54},
         ["train.micro_tokens: got 54, but the longest example takes 55; 1 of 70 examples take more than the limit"]),
        ({"loss__name": "r_drop", "model__dropout": 0.3, "train__micro_tokens": 109},
         ["train.micro_tokens: got 109, but the longest example takes 110 as 2 rows that nothing separates (loss.group,"
          " views); 1 of 70 examples take more"]),
    ],
)  # fmt: skip
def test_warnings(start, given, told):
    found = messages(start, **given)
    assert len(found) == len(told), found
    for message, beginning in zip(found, told, strict=True):
        assert message.startswith(beginning)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"loss__name": "ldam", "model__head": "cosine", "loss__scale": 16},
         r"^loss.scale: got 16.0, but model.head_options.scale is 30.0"),
        ({"loss__name": "r_drop", "loss__base": "ldam", "model__head": "cosine", "loss__base_options.scale": 16},
         r"^loss.base_options.scale: got 16.0, but model.head_options.scale is 30.0"),
        ({"loss__name": "ldam", "model__head": "cosine", "model__head_options.scale": 8},
         r"^loss.scale: got 30.0, but model.head_options.scale is 8.0"),
        ({"loss__name": "supervised_contrastive", "train__batch_size": 20},
         "train.batch_size 20 is no multiple of loss.group 8"),
        ({"loss__name": "supervised_contrastive", "train__micro_batch_size": 4},
         "train.micro_batch_size 4 is below loss.group 8"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:loss.name")
def test_refusals(start, given, message):
    with pytest.raises(ValueError, match=message):
        start(**given)


@pytest.mark.filterwarnings("ignore:loss.name")
@pytest.mark.parametrize(
    "given",
    [
        {"loss__name": "r_drop", "model__dropout": 0.3, "train__micro_batch_size": 3},
        {"loss__name": "supervised_contrastive", "loss__group": 4, "model__dropout": 0.3, "train__micro_batch_size": 8},
        {"loss__name": "ldam", "model__head": "cosine", "loss__class_weights": "class_balanced", "loss__drw_epoch": 1},
    ],
    ids=lambda given: given["loss__name"],
)
def test_the_loop_trains_with_it_and_evaluates_plain_cross_entropy_with_one_view(start, given):
    run = start(train__epochs=2, **given)
    state = train(run.parts, run.config, run.state)
    assert state.step == 6
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [line["loss"] for line in lines if line["split"] == "train"]
    assert np.isfinite(told).all()
    evaluation = run.parts.evaluation
    dev = np.array(evaluation.store.labels)
    own = evaluation.predictions.probabilities.astype(np.float64)[np.arange(len(dev)), dev]
    assert [line["loss"] for line in lines if line["split"] == "dev"][-1] == pytest.approx(
        -np.log(own).mean(), rel=1e-5
    )
