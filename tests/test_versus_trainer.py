"""The benchmark against the Trainer in its smallest form: it runs, both sides compute the same, the JSON is whole."""

import inspect
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import ROOT
from engine.speed import Speed

sys.path.insert(0, str(ROOT / "benchmarks"))

import versus_trainer
from versus import sections, table
from versus.measure import Enough, Gate
from versus.start_ours import leave
from versus.task import Files, SideError, hold_out


@pytest.mark.timeout(280)
def test_smallest_run(versus_run):
    results, printed = versus_run
    assert results["another machine"] == {"quick": False}  # merged, not replaced
    (name,) = results.keys() - {"another machine"}
    assert name.endswith("1 x 32, batch 4, threads 1")
    found = results[name]
    assert found["data"] == "the bundled sample and its tokenizer"
    assert found["facts"]["rows"] == 4000
    assert found["machine"].keys() >= {"torch", "transformers", "accelerate", "commit"}

    trained = found["train"]
    assert trained["logits_difference"] <= 1e-4
    assert trained["sides"].keys() == {"ours", "default", "tuned", "bare"}
    for side in trained["sides"].values():
        assert len(side["tokens_per_second"]["all"]) == len(side["tokens"]) == 2
        assert side["tokens_per_second"]["median"] > 0
        assert 0 <= side["padding_share"] < 0.6
        assert side["mfu"] > 0  # of a peak that was measured beside other work: it may pass 1
        assert side["peak_memory_gib"] > 0.05
    # the bare loop trains on the very batches of ours; the Trainer's random order pads more than grouped lengths
    assert trained["sides"]["bare"]["tokens"] == trained["sides"]["ours"]["tokens"]
    assert trained["sides"]["ours"]["padding_share"] < trained["sides"]["default"]["padding_share"]
    assert [row["kept"] for row in trained["tried"]] == [True]
    assert trained["sides"]["tuned"]["arguments"] == trained["tried"][0]["arguments"]
    for ratios in ("ratios", "cpu_time_ratios"):
        assert trained[ratios].keys() == {"ours / default", "ours / tuned", "ours / bare"}
    mine, theirs = (trained["sides"][name]["tokens_per_second"]["all"] for name in ("ours", "default"))
    assert trained["ratios"]["ours / default"]["all"] == [a / b for a, b in zip(mine, theirs, strict=True)]
    own = trained["own_time"]["host"]
    assert all(share > 0 for share in own["shares"].values())
    assert 0 < own["rest"] < own["outside_forward_backward_optimizer"] < 1

    predicted = found["predict"]
    assert predicted["rows"] == 800
    for side in predicted["sides"].values():  # first weights, bf16 against float32
        assert side["largest_difference_of_probabilities"] < 0.02
    assert printed.rstrip().endswith(table.tables({name: found}))


def test_different_logits_end_the_benchmark():
    def worker(shift: float) -> SimpleNamespace:
        return SimpleNamespace(ask=lambda word, rows: np.zeros((len(rows), 30)) + shift)

    assert sections.check_logits(None, {"ours": worker(0), "default": worker(9e-5)}) == pytest.approx(9e-5)
    with pytest.raises(SideError, match="different logits"):
        sections.check_logits(None, {"ours": worker(0), "default": worker(2e-4)})
    with pytest.raises(SideError, match="different logits"):
        sections.check_logits(None, {"ours": worker(0), "default": worker(float("nan"))})


def test_a_block_counts_the_updates_after_those_that_settle():
    asked, sent, done = [("block", 2, 3, None), ("end",)], [], [0]
    connection = SimpleNamespace(recv=lambda: asked.pop(0), send=sent.append)
    gate = Gate(connection, SimpleNamespace(type="cpu"), lambda: (10 * done[0], 20 * done[0]))
    gate.wait()
    for number in (1, 2, 3, 4):
        done[0] = number
        gate.update_done()
    assert sent == []
    done[0] = 5
    with pytest.raises(Enough):
        gate.update_done()
    assert (sent[0]["updates"], sent[0]["tokens"], sent[0]["positions"]) == (3, 30, 60)


def test_rows_of_one_sentence_are_held_out_together(tmp_path):
    rows = [f"{number},sentence {number % 7}" for number in range(50)]
    (tmp_path / "train.csv").write_text("\n".join(["id,sentence", *rows]) + "\n", encoding="utf-8")
    cut = hold_out(Files(str(tmp_path / "train.csv"), "", "", ""), tmp_path, rows=12)
    kept, held = (Path(path).read_text(encoding="utf-8").splitlines()[1:] for path in (cut.train, cut.dev))
    assert sorted(kept + held) == sorted(rows)
    assert 12 <= len(held) <= 20
    assert not {row.split(",")[1] for row in held} & {row.split(",")[1] for row in kept}


def test_start_of_our_side_is_read_where_the_loop_counts_its_updates():
    assert inspect.signature(leave) == inspect.signature(Speed.count).replace(return_annotation=None)


def test_the_docs_show_the_results(tmp_path, monkeypatch):
    """--readme fills the tables of docs/speed.md and both READMEs; what it writes is what they hold."""
    names = ("docs/speed.md", "README.md", "README.ko.md")
    (tmp_path / "docs").mkdir()
    for name in names:
        emptied = table.put((ROOT / name).read_text(encoding="utf-8"), "")
        (tmp_path / name).write_text(emptied, encoding="utf-8")
    monkeypatch.setattr(versus_trainer, "ROOT", tmp_path)
    assert versus_trainer.main(["--table", "--readme"]) == 0
    for name in names:
        assert (tmp_path / name).read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the marks"):
        table.put("no marks", "")


def test_the_korean_table_has_korean_words_and_the_same_numbers():
    results = json.loads(versus_trainer.RESULTS.read_text(encoding="utf-8"))
    rows = [
        {"name": "default", "mean": 31.5, "sd": None},
        {"name": "ours", "mean": 32.6, "sd": 0.25, "difference": 1.1, "difference_95": 0.5},
    ]
    next(iter(results.values()))["scores"] = {"rows": rows, "updates": 300, "seeds": [1, 2, 3]}
    assert "| 31.50 ± 0.00 | 32.60 ± 0.25 | +1.10 ± 0.50 |" in table.tables(results)
    english = table.short(results)
    assert english.count("\n| training, ") == english.count("\n| prediction, ") == 2
    korean = table.korean(english)
    assert re.findall(r"\d+(?:[.,]\d+)*", korean) == re.findall(r"\d+(?:[.,]\d+)*", english)
    devices = " ".join(found["facts"]["device"] for found in results.values()).split()
    left = set(re.findall("[A-Za-z]{2,}", korean)) - {"Trainer", "plainloop", "GPU", *devices}
    assert not left
