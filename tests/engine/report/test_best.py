"""best/ of models that were edited in place predicts what the run did, or the run ends by saying that it does not."""

import csv
import json

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

import train as program
from data import sample
from engine.predict import Predictor
from engine.report import best
from models import MODELS
from models.backbone import empty_backbone, hidden_states
from models.relation import Output, RelationConfig


class EditedConfig(RelationConfig):
    model_type = "edited_for_a_test"
    tie_word_embeddings: bool = True  # what a model declares to be tied is


class Edited(PreTrainedModel):
    """As docs/extending.md has it, and with what `edit` adds."""

    config_class = EditedConfig

    def __init__(self, config):
        super().__init__(config)
        self.backbone = empty_backbone(config.backbone)
        self.out = nn.Linear(config.backbone.hidden_size, config.classes)
        self.edit(config.backbone.hidden_size, config.classes)
        self.post_init()

    def edit(self, hidden_size: int, classes: int) -> None:
        """Nothing here."""

    def change(self, states, batch):
        """What becomes of the states (B, H) of the subject's first word."""
        return states

    def forward(self, batch):
        states = hidden_states(self.backbone, batch)[batch.subject[:, 2, 0]]  # (B, H)
        return Output(logits=self.out(self.change(states, batch)), features=states)


class Buffers(Edited):
    """A position table and a class prior, made of the configuration, which no file holds."""

    def edit(self, hidden_size, classes):
        places = torch.arange(256)[:, None] / 10 ** torch.linspace(0, 3, hidden_size)
        self.register_buffer("places", places.sin(), persistent=False)
        self.register_buffer("prior", torch.linspace(-2, 2, hidden_size), persistent=False)

    def change(self, states, batch):
        return states + self.places[batch.lengths.to(states.device) % 256] + self.prior


class Attribute(Edited):
    """A tensor that is a plain attribute, and a number that needs its values, which the meta device does not have."""

    def edit(self, hidden_size, classes):
        self.scales = torch.linspace(0.5, 4, hidden_size)
        self.largest = self.scales.max().item()

    def change(self, states, batch):
        return states * self.scales / self.largest


class Drawn(Buffers):
    """A buffer that is drawn: no two instances have the same."""

    def edit(self, hidden_size, classes):
        self.register_buffer("projection", 4 * torch.randn(hidden_size, hidden_size), persistent=False)

    def change(self, states, batch):
        return states @ self.projection


class Learned(Edited):
    """It keeps what training made in a plain attribute."""

    def edit(self, hidden_size, classes):
        self.seen = torch.zeros(hidden_size)

    def change(self, states, batch):
        if self.training:
            self.seen = self.seen + 4
        return states * self.seen


class Restless(Edited):
    """It draws in evaluation, too."""

    def change(self, states, batch):
        return states + 2 * torch.randn_like(states)


class Tied(Edited):
    """Weights under two names, as it declares."""

    _tied_weights_keys = {"again.weight": "out.weight"}  # noqa: RUF012 (the name and form are transformers')

    def edit(self, hidden_size, classes):
        self.again = nn.Linear(hidden_size, classes)

    def forward(self, batch):
        output = super().forward(batch)
        return Output(logits=output.logits + self.again(output.features), features=output.features)


@pytest.fixture
def run(options, monkeypatch, tmp_path):
    """`run(model class)` trains it and returns (exit code, folder)."""

    def start(kind: type[Edited], **given):
        AutoConfig.register(EditedConfig.model_type, EditedConfig, exist_ok=True)
        AutoModel.register(EditedConfig, kind, exist_ok=True)
        monkeypatch.setitem(MODELS, "edited", kind)
        given = {"model__name": "edited", "train__epochs": 1, "optim__lr": 0.01, "track__errors": "false"} | given
        return program.main(options(**given)), tmp_path / "runs" / "tiny"

    return start


def written(folder) -> np.ndarray:
    """The probabilities that the run wrote of its dev set."""
    with (folder / "predictions" / "dev.csv").open(encoding="utf-8", newline="") as file:
        return np.array([row[3:] for row in csv.reader(file)][1:], dtype=np.float64)


@pytest.mark.parametrize("kind", [Edited, Buffers, Attribute, Tied])
@pytest.mark.usefixtures("clean_process")
def test_what_was_edited_predicts_from_best_what_the_run_did(run, kind):
    code, folder = run(kind)
    assert code == 0
    found = Predictor(folder, device="cpu")(sample.rows("dev")[:24]).probabilities
    np.testing.assert_allclose(found, written(folder), atol=1e-6)
    if kind is Tied:
        opened = Predictor(folder, device="cpu").model
        assert opened.again.weight is opened.out.weight
    assert found.std(axis=0).max() > 1e-3  # it reads the rows
    assert (folder / "report.json").is_file()


@pytest.mark.parametrize(
    "kind, cause", [(Drawn, "other values in projection"), (Learned, "other values in seen")], ids=["drawn", "learned"]
)
@pytest.mark.parametrize("dev", [True, False], ids=["dev", "no dev"])
@pytest.mark.usefixtures("clean_process")
def test_a_model_that_is_another_when_it_is_opened_ends_with_an_error(run, capsys, kind, cause, dev):
    code, folder = run(kind, **({} if dev else {"data__dev": "null"}))
    assert code == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {folder}: {kind.__name__} opened from its saved form predicts otherwise than the")
    assert cause in last
    assert "--run.name tiny finishes the run without training" in last
    assert not (folder / "best").exists()
    assert not (folder / ".best").exists()
    assert not (folder / "report.json").exists()
    assert (folder / "predictions" / "dev.csv").is_file() == dev
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000003"]


@pytest.mark.usefixtures("clean_process")
def test_the_same_command_finishes_when_the_model_is_mended(run, monkeypatch):
    assert run(Drawn)[0] == 1
    monkeypatch.setattr(Drawn, "edit", lambda self, size, _: self.register_buffer("projection", torch.eye(size), False))
    code, folder = run(Drawn)
    assert code == 0
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if line["split"] == "train"] == [1, 2, 3]
    found = Predictor(folder, device="cpu")(sample.rows("dev")[:24]).probabilities
    np.testing.assert_allclose(found, written(folder), atol=1e-6)


@pytest.mark.usefixtures("clean_process")
def test_a_model_that_cannot_be_opened_is_told(run, monkeypatch, capsys):
    def open_saved(folder):
        raise KeyError("places")

    monkeypatch.setattr("engine.predict.predictor.open_saved", open_saved)
    assert run(Edited)[0] == 1
    assert "cannot be opened again and predict (KeyError: 'places')" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.usefixtures("clean_process")
def test_a_model_that_draws_in_evaluation_is_compared_with_itself(run):
    assert run(Restless)[0] == 0


@pytest.mark.usefixtures("clean_process")
def test_without_memory_for_a_second_model_the_run_ends_well_and_says_so(run, monkeypatch):
    def too_large(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(best, "Predictor", too_large)
    with pytest.warns(UserWarning, match="best/ was not compared with the run: cpu has no memory for a second model"):
        code, folder = run(Edited)
    assert code == 0
    assert (folder / "best" / "model.safetensors").is_file()
