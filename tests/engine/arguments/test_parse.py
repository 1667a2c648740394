"""YAML and command line: one configuration, and one line for every mistake."""

import dataclasses

import docstring_parser
import pytest
import torch
import yaml
from torch import nn

from engine.arguments.constructors import CHOICES
from engine.arguments.parse import known_keys, parse
from engine.config import Config
from losses import LOSSES

BASE = {"model": {"backbone": "klue/roberta-small"}}


class Focal(nn.Module):
    """Stands for a loss with options."""

    def __init__(self, class_counts: torch.Tensor, gamma: float = 2.0, weighted: bool = False, note: str | None = None):
        super().__init__()


class Smooth(nn.Module):
    def __init__(self, class_counts: torch.Tensor, smoothing: float):
        super().__init__()


@pytest.fixture
def losses(monkeypatch):
    monkeypatch.setitem(LOSSES, "focal", Focal)
    monkeypatch.setitem(LOSSES, "smooth", Smooth)


@pytest.fixture
def file(tmp_path):
    """`file({"optim": {...}})` or `file("text")` writes a configuration file and returns its path."""

    def write(content) -> str:
        path = tmp_path / "given.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(BASE | content), encoding="utf-8")
        return str(path)

    return write


def problems(argv) -> list[str]:
    with pytest.raises(ValueError) as caught:
        parse(argv)
    return str(caught.value).splitlines()


# values -----------------------------------------------------------------------------------------------------------


def test_without_arguments_the_sample_configuration_is_used():
    config, path, notices = parse([])
    assert path.name == "sample.yaml"
    assert (config.data.train, config.model.tokenizer, config.optim.lr, notices) == ("sample:train", "sample", 1e-3, [])


def test_the_command_line_wins_over_the_file_and_the_file_over_defaults(file):
    path = file({"train": {"epochs": 7, "batch_size": 16}})
    config, used, _ = parse(["--config", path, "--train.epochs", "9"])
    assert (config.train.epochs, config.train.batch_size, config.train.log_every) == (9, 16, 10)
    assert str(used) == path


def test_both_forms_of_an_option_are_read():
    spaced = parse(["--train.epochs", "5", "--run.name", "a=b", "--optim.lr", "3e-4"])[0]
    joined = parse(["--train.epochs=5", "--run.name=a=b", "--optim.lr=3e-4"])[0]
    assert spaced == joined
    assert (spaced.train.epochs, spaced.run.name, spaced.optim.lr) == (5, "a=b", 3e-4)


@pytest.mark.parametrize("text, number", [("1e-5", 1e-5), ("2E-3", 2e-3), ("1e-05", 1e-5), ("1", 1.0), ("0.5", 0.5)])
def test_numbers_with_an_exponent_are_numbers(file, text, number):
    """YAML 1.1 reads 1e-5 as a text."""
    written = file("model: {backbone: klue/roberta-small}\noptim: {lr: " + text + "}\n")
    for argv in (["--config", written], ["--optim.lr", text]):
        value = parse(argv)[0].optim.lr
        assert type(value) is float
        assert value == number


def test_null_is_null_on_the_command_line(file):
    path = file({"train": {"max_updates": 5, "max_grad_norm": 2.0}})
    config = parse(["--config", path, "--train.max_updates", "null", "--train.max_grad_norm=null"])[0]
    assert config.train.max_updates is None
    assert config.train.max_grad_norm is None


@pytest.mark.parametrize("name", ["1", "07", "1e5", "no", "true", "관계 추출"])
def test_a_name_stays_a_text(name):
    assert parse(["--run.name", name])[0].run.name == name


@pytest.mark.parametrize("text, value", [("true", True), ("false", False), ("no", False), ("True", True)])
def test_switches(text, value):
    assert parse(["--track.tensorboard", text])[0].track.tensorboard is value


def test_lists_and_keys_of_a_dictionary(file):
    config = parse(["--data.types", "[PER, ORG]"])[0]
    assert config.data.types == ["PER", "ORG"]
    path = file({"model": {"backbone": "x", "overrides": {"hidden_dropout_prob": 0.2, "layer_norm_eps": "1e-6"}}})
    assert parse(["--config", path])[0].model.overrides == {"hidden_dropout_prob": 0.2, "layer_norm_eps": 1e-6}
    config = parse(["--config", path, "--model.overrides.layer_norm_eps", "1e-5"])[0]
    assert config.model.overrides == {"hidden_dropout_prob": 0.2, "layer_norm_eps": 1e-5}  # the other key stays
    config = parse(["--config", path, "--model.overrides", "{reference_compile: false}"])[0]
    assert config.model.overrides == {"reference_compile": False}


def test_nested_sections(file):
    path = file({"model": {"backbone": None, "tokenizer": "sample", "scratch": {"layers": 3}}})
    scratch = parse(["--config", path, "--model.scratch.heads=4"])[0].model.scratch
    assert (scratch.hidden_size, scratch.layers, scratch.heads) == (128, 3, 4)


def test_the_learning_rate_follows_from_the_backbone(file):
    assert parse(["--optim.lr", "null"])[0].optim.lr == 1e-3
    assert parse(["--config", file({})])[0].optim.lr == 2e-5
    assert parse(["--config", file({}), "--optim.lr", "1e-4"])[0].optim.lr == 1e-4


def test_an_empty_section_is_all_defaults(file):
    assert parse(["--config", file("model: {backbone: x}\ntrain:\noptim: {}\n")])[0].train == Config().train


def test_the_configuration_cannot_be_changed():
    config = parse([])[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.train = None
    for section in dataclasses.fields(config):
        with pytest.raises(dataclasses.FrozenInstanceError):
            getattr(config, section.name).name = "other"


def test_the_saved_configuration_gives_the_same_one(file, tmp_path, losses):
    argv = [
        "--config", file({"model": {"backbone": "klue/roberta-small", "overrides": {"layer_norm_eps": 1e-7}}}),
        "--run.name", "1e5", "--optim.lr", "1.23e-7", "--data.types=[PER, ORG]", "--loss.name", "focal",
        "--loss.gamma", "1e-3", "--train.max_grad_norm", "null", "--data.labels", "레이블.json", "--model.dropout", "0",
    ]  # fmt: skip
    config = parse(argv)[0]
    saved = tmp_path / "config.yaml"
    saved.write_text(config.to_yaml(), encoding="utf-8")
    again, _, notices = parse(["--config", str(saved)])
    assert again == config
    assert notices == []
    assert again.as_dict() == yaml.safe_load(config.to_yaml())
    other = parse(["--config", str(saved), "--run.name", "other"])[0]
    assert dataclasses.replace(other, run=config.run) == config


# mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv, line",
    [
        (["--train.batch_siz", "3"], "train.batch_siz: unknown key; did you mean train.batch_size?"),
        (["--track.qqqqqqqqqqqqqqqqqqq", "3"], "track.qqqqqqqqqqqqqqqqqqq: unknown key; keys of track: track.t"),
        (["--trian.epochs", "3"], "trian.epochs: unknown section 'trian'; sections are run, data, model, loss, optim"),
        (["--trian.epochs", "3"], "; did you mean train.epochs?"),
        (["--model.scratch.layer", "3"], "model.scratch.layer: unknown key; did you mean model.scratch.layers?"),
        (["--train.epochs", "three"], "train.epochs: got 'three', expected a whole number"),
        (["--train.epochs", "2.5"], "train.epochs: got '2.5', expected a whole number"),
        (["--train.epochs", "null"], "train.epochs: got 'null', expected a whole number"),
        (["--train.max_updates", "x"], "train.max_updates: got 'x', expected a whole number or null"),
        (["--optim.lr", "fast"], "optim.lr: got 'fast', expected a number or null"),
        (["--optim.lr", "nan"], "optim.lr: got 'nan', expected a number or null"),
        (["--track.tensorboard", "maybe"], "track.tensorboard: got 'maybe', expected true or false"),
        (["--data.types", "PER"], "data.types: got 'PER', expected a list such as [a, b]"),
        (["--data.marker", "typd"], "data.marker: got 'typd', expected one of none, entity, entity_punct, typed"),
        (["--train.precision", "fp8"], "train.precision: got 'fp8', expected one of fp32, bf16, fp16 or null"),
        (["--loss.name", "cross_entropi"], "loss.name: got 'cross_entropi', expected one of cross_entropy"),
        (["--loss.name", "cross_entropi"], "; did you mean cross_entropy?"),
        (["--optim.lr", "0"], "optim.lr: got 0.0, expected a number above 0, or null"),
        (["--train.batch_size", "0"], "train.batch_size: got 0, expected 1 or more"),
        (["--train.micro_batch_size", "0"], "train.micro_batch_size: got 0, expected 1 or more, or null"),
        (["--train.micro_tokens", "0"], "train.micro_tokens: got 0, expected 1 or more, or null"),
        (["--train.micro_tokens", "-5"], "train.micro_tokens: got -5, expected 1 or more, or null"),
        (["--optim.warmup", "1.5"], "optim.warmup: got 1.5, expected a share of the updates, 0 to 1"),
        (["--model.dropout", "1"], "model.dropout: got 1.0, expected 0 up to below 1, or null"),
        (["--run.name", "../x"], "run.name: got '../x', expected a folder name without slashes"),
        (["--model.scratch.heads", "0"], "model.scratch.heads: got 0, expected 1 or more"),
        (["--model.tokenizer", "null"], "model.tokenizer: a backbone from nothing (model.backbone null) needs one"),
        (["--model.overrides.a", "1"], "model.overrides: has no effect without model.backbone"),
        (["--model.overrides.a", "["], "model.overrides.a: got '[', expected a value as YAML writes it"),
        (["--model.overrides.a=1", "--model.overrides={b: 2}"], "model.overrides.a: model.overrides is given as a"),
        (["--run.name"], "run.name: no value after it"),
        (["--run.name", "--train.epochs", "3"], "run.name: no value after it"),
        (["train.epochs=3"], "train.epochs=3: not understood; options look like --train.epochs 3"),
        (["--train", "3"], "train: unknown key"),
        (["--config", "/no/such/file.yaml"], "--config: no file /no/such/file.yaml"),
        (["--config", "/"], "--config: / is a folder, expected a YAML file"),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_is_one_line(argv, line):
    [told] = problems(argv)
    assert told.startswith(line) or (line.startswith(";") and told.endswith(line))


@pytest.mark.parametrize(
    "text, line",
    [
        ("train: {epochs: true}", "train.epochs: got True, expected a whole number"),
        ("train: {epochs: null}", "train.epochs: got null, expected a whole number"),
        ("train: {epochs: [1]}", "train.epochs: got [1], expected a whole number"),
        ("data: {marker: null}", "data.marker: got null, expected one of none, entity"),
        ("data: {train: null}", "data.train: got null, expected a text"),
        ("data: {types: null}", "data.types: got null, expected a list such as [a, b]"),
        ("model: {backbone: x, overrides: null}", "model.overrides: got null, expected keys and values"),
        ("model: {backbone: x, overrides: [a]}", "model.overrides: got ['a'], expected keys and values"),
        ("run: {resume: no}", "run.resume: got False, expected one of auto, never, force"),
        ("run: {name: 12}", "run.name: got 12, expected a text or null"),
        ("optim: {lr: .nan}", "optim.lr: got nan, expected a number above 0, or null"),
        ("loss: {name: [a]}", "loss.name: got ['a'], expected one of cross_entropy"),
        ("loss: {name: null}", "loss.name: got null, expected one of cross_entropy"),
        ("loss: cross_entropy", "--config: section loss of"),
        ("trian: {epochs: 3}", "trian.epochs: unknown section 'trian'"),
        ("data: {1: 2}", "data.1: unknown key"),
        ("- a", "--config: "),
        ("", "--config: "),
        ("a: b: c", "--config: "),
    ],
)
def test_a_mistake_in_the_file_is_one_line(file, text, line):
    [told] = problems(["--config", file(text), "--model.tokenizer", "sample"])
    assert told.startswith(line)


def test_all_mistakes_of_a_kind_are_told_at_once(file):
    path = file({"train": {"epoch": 1, "batch_sise": 2}})
    assert len(problems(["--config", path, "--optim.lrr", "x", "stray"])) == 4
    wrong = problems(["--train.epochs", "x", "--optim.lr", "y", "--run.resume", "z"])
    assert sorted(line.split(":")[0] for line in wrong) == ["optim.lr", "run.resume", "train.epochs"]
    wrong = problems(["--train.epochs", "0", "--optim.warmup", "2", "--run.name", "."])
    assert sorted(line.split(":")[0] for line in wrong) == ["optim.warmup", "run.name", "train.epochs"]


def test_nothing_is_loaded_before_the_configuration_is_right(monkeypatch):
    import engine.compose.model

    monkeypatch.setattr(engine.compose.model, "load_tokenizer", lambda name: pytest.fail("loaded"))
    assert problems(["--model.tokenizer", "no/such", "--train.epochs", "x"])


# losses -----------------------------------------------------------------------------------------------------------


def test_the_options_of_a_loss_are_its_constructors(losses):
    loss = parse(["--loss.name", "focal", "--loss.gamma", "3", "--loss.weighted", "true"])[0].loss
    assert (loss.name, loss.options) == ("focal", {"gamma": 3.0, "weighted": True, "note": None})
    assert type(loss.options["gamma"]) is float
    assert parse(["--loss.gamma", "1", "--loss.name", "focal"])[0].loss.options["gamma"] == 1.0  # in any order


def test_defaults_of_a_loss_are_written_down(losses):
    assert parse(["--loss.name", "focal"])[0].as_dict()["loss"] == {
        "name": "focal", "gamma": 2.0, "weighted": False, "note": None,
    }  # fmt: skip


def test_options_of_a_replaced_loss_are_dropped_with_a_notice(losses, file):
    path = file({"loss": {"name": "focal", "gamma": 3, "weighted": True}})
    config, _, notices = parse(["--config", path, "--loss.name", "cross_entropy"])
    assert config.loss.name == "cross_entropy"
    assert not {"gamma", "weighted"} & set(config.loss.options)
    assert notices == ["loss.gamma, loss.weighted of focal dropped: the loss is cross_entropy"]
    config, _, notices = parse(["--config", path, "--loss.name", "focal", "--loss.gamma", "1"])
    assert config.loss.options == {"gamma": 1.0, "weighted": True, "note": None}
    assert notices == []


@pytest.mark.parametrize(
    "argv, line",
    [
        (["--loss.gamma", "2"], "loss.gamma: unknown key"),
        (["--loss.name", "focal", "--loss.smoothing", "0.1"], "loss.smoothing: unknown key"),
        (["--loss.name", "focal", "--loss.gama", "0.1"], "loss.gama: unknown key; did you mean loss.gamma?"),
        (["--loss.name", "focal", "--loss.gamma", "high"], "loss.gamma: got 'high', expected a number"),
        (["--loss.name", "focal", "--loss.class_counts", "3"], "loss.class_counts: unknown key"),
        (["--loss.name", "focl"], "loss.name: got 'focl', expected one of cross_entropy,"),
        (["--loss.name", "focl"], "; did you mean focal?"),
    ],
)  # fmt: skip
def test_a_foreign_option_on_the_command_line_is_an_error(losses, argv, line):
    [told] = problems(argv)
    assert told.startswith(line) or (line.startswith(";") and told.endswith(line))


def test_a_foreign_option_in_the_file_is_an_error_where_the_loss_is_the_files_own(losses, file):
    [told] = problems(["--config", file({"loss": {"name": "focal", "smoothing": 0.1}})])
    assert told.startswith("loss.smoothing: unknown key")


def test_an_option_without_a_default_must_be_given(losses):
    assert parse(["--loss.name", "smooth", "--loss.smoothing", "0.1"])[0].loss.options == {"smoothing": 0.1}
    assert problems(["--loss.name", "smooth"]) == ["loss.smoothing: the loss smooth needs it"]
    assert len(problems(["--loss.name", "smooth", "--train.epochs", "x"])) == 2


# losses over another one ------------------------------------------------------------------------------------------

OVER = ["--loss.name", "r_drop", "--loss.base", "focal"]


@pytest.mark.parametrize(
    "argv",
    [["--loss.base_options.gamma", "5e-1"], ["--loss.base_options.gamma=0.5"], ["--loss.base_options={gamma: .5}"]],
)
def test_the_options_of_a_base_are_its_constructors(argv):
    options = parse([*OVER, *argv])[0].loss.options
    assert (options["base"], options["base_options"]["gamma"]) == ("focal", 0.5)
    assert options["base_options"]["class_weights"] == "none"  # defaults are written down


def test_the_options_of_a_base_in_the_file(file, tmp_path):
    path = file("model: {backbone: x}\nloss: {name: r_drop, base: focal, base_options: {gamma: 5e-1, drw_epoch: 2}}\n")
    config = parse(["--config", path])[0]
    assert config.loss.options["base_options"] | {"gamma": 0.5, "drw_epoch": 2} == config.loss.options["base_options"]
    saved = tmp_path / "config.yaml"
    saved.write_text(config.to_yaml(), encoding="utf-8")
    assert parse(["--config", str(saved)])[0] == config
    other, _, notices = parse(["--config", path, "--loss.base", "dice"])
    assert "gamma" not in other.loss.options["base_options"]
    assert notices == [
        "loss.base_options.gamma, loss.base_options.drw_epoch of focal dropped: the base is dice"
    ]  # fmt: skip
    empty = file("model: {backbone: x}\nloss:\n  name: r_drop\n  base_options:\n    # beta: 0.9\n")
    assert parse(["--config", empty])[0].loss.options["base_options"]["beta"] is None


@pytest.mark.parametrize(
    "options, line",
    [
        ("{drw_epoch: 1.5}", "loss.base_options.drw_epoch: got 1.5, expected a whole number or null"),
        ("{drw_epoch: true}", "loss.base_options.drw_epoch: got True, expected a whole number or null"),
        ("{gamma: true}", "loss.base_options.gamma: got True, expected a number"),
        ("{gamma: high}", "loss.base_options.gamma: got 'high', expected a number"),
        ("{gama: 1}", "loss.base_options.gama: unknown key; did you mean loss.base_options.gamma?"),
        ("{class_weights: balanced}", "loss.base_options.class_weights: got 'balanced', expected one of none, inverse"),
        ("{class_counts: [1]}", "loss.base_options.class_counts: unknown key"),
    ],
)
def test_a_wrong_option_of_a_base_is_one_line(file, options, line):
    written = "model: {backbone: x}\nloss: {name: r_drop, base: focal, base_options: " + options + "}\n"
    [told] = problems(["--config", file(written)])
    assert told.startswith(line)


@pytest.mark.parametrize(
    "argv, line",
    [
        ([*OVER, "--loss.class_weights", "none"],
         "loss.class_weights: unknown key; it is an option of the base: loss.base_options.class_weights"),
        ([*OVER, "--loss.gamma", "1"], "loss.gamma: unknown key; it is an option of the base: loss.base_options.gamma"),
        (["--loss.name", "r_drop", "--loss.base", "focl"], "loss.base: got 'focl', expected one of cross_entropy"),
        (["--loss.name", "r_drop", "--loss.base", "r_drop"], "loss.base: got 'r_drop', expected one of cross_entropy"),
        (["--loss.base_options.gamma", "1"], "loss.base_options.gamma: unknown key"),
    ],
)  # fmt: skip
def test_where_an_option_of_a_base_belongs(argv, line):
    [told] = problems(argv)
    assert told.startswith(line)


class Tables(nn.Module):
    def __init__(self, class_counts: torch.Tensor, costs: dict | None = None, typed: dict[str, float] | None = None):
        super().__init__()


def test_a_dictionary_that_may_be_null_takes_its_keys_one_by_one(monkeypatch):
    monkeypatch.setitem(LOSSES, "tables", Tables)
    loss = parse(["--loss.name", "tables", "--loss.costs.a", "2", "--loss.typed.b", "0.5"])[0].loss
    assert loss.options == {"costs": {"a": 2}, "typed": {"b": 0.5}}
    assert parse(["--loss.name", "tables", "--loss.costs", "null"])[0].loss.options == {"costs": None, "typed": None}


# poolings and heads -----------------------------------------------------------------------------------------------


def test_the_options_of_a_head_and_a_pooling_are_their_constructors():
    argv = ["--model.head", "bilstm", "--model.head_options.layers", "2", "--model.pooling", "cls"]
    model = parse(argv)[0].model
    assert (model.head, model.head_options, model.pooling_options) == ("bilstm", {"layers": 2, "size": None}, {})
    model = parse(["--model.pooling=last_layers", "--model.pooling_options={layers: 3, mix: learned}"])[0].model
    assert model.pooling_options == {"layers": 3, "mix": "learned", "over": "cls"}
    model = parse(["--model.head=cnn", "--model.pooling=cls", "--model.head_options.kernels=[2, 3]"])[0].model
    assert model.head_options == {"filters": 100, "kernels": [2, 3]}


def test_options_of_a_replaced_head_are_dropped_with_a_notice(file):
    path = file({"model": {"backbone": "x", "head": "deep", "head_options": {"layers": 3, "dropout": 0.3}}})
    assert parse(["--config", path])[0].model.head_options == {"layers": 3, "width": 2, "dropout": 0.3}
    config, _, notices = parse(["--config", path, "--model.head", "linear"])
    assert config.model.head_options == {}
    assert notices == ["model.head_options.dropout, model.head_options.layers of deep dropped: the head is linear"]


def test_defaults_of_a_replaced_head_do_not_become_the_new_ones(file, tmp_path):
    """A saved configuration holds deep's `layers: 2`, and bilstm has an option of that name."""
    written = parse(["--config", file({"model": {"backbone": "x", "head": "deep"}})])[0].to_yaml()
    config, _, notices = parse(["--config", file(written), "--model.head", "bilstm", "--model.pooling", "cls"])
    assert config.model.head_options == {"layers": 1, "size": None}
    assert notices == []


@pytest.mark.parametrize(
    "argv, line",
    [
        (["--model.head_options.layers", "2"], "model.head_options.layers: unknown key"),  # mlp has none
        (["--model.head", "deep", "--model.head_options.layer", "2"], "; did you mean model.head_options.layers?"),
        (
            ["--model.head", "deep", "--model.head_options.layers", "two"],
            "model.head_options.layers: got 'two', expected a whole number",
        ),
        (["--model.head", "deep", "--model.head_options", "2"], "model.head_options: got '2', expected keys"),
        (
            ["--model.head=deep", "--model.head_options={layers: 2}", "--model.head_options.layers=3"],
            "model.head_options.layers: model.head_options is given as a whole, too",
        ),
        (["--model.head", "mlpp"], "; did you mean mlp?"),
        (["--model.pooling", "entity"], "model.pooling: got 'entity', expected one of cls, pooler, mean, max,"),
        (
            ["--model.pooling=last_layers", "--model.pooling_options.mix=sum"],
            "model.pooling_options.mix: got 'sum', expected one of mean, learned",
        ),
        (["--model.head_options.dropout=1"], "model.head_options.dropout: got 1.0, expected 0 up to below 1"),
        (
            ["--model.head_options.dropout=0.1", "--model.dropout=0"],
            "model.head_options.dropout: got 0.1, but model.dropout, which is for all, is 0.0",
        ),
        (["--model.entity_embeddings=[role, role]"], "model.entity_embeddings: got ['role', 'role'], expected each"),
        (["--model.entity_embeddings=[roles]"], "model.entity_embeddings: got '[roles]', expected a list"),
        (["--optim.entity_lr=0"], "optim.entity_lr: got 0.0, expected a number above 0, or null"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_model_is_one_line(argv, line):
    [told] = problems(argv)
    assert told.startswith(line) or (line.startswith(";") and told.endswith(line))


def test_an_empty_section_of_options_is_none(file):
    path = file("model:\n  backbone: x\n  head_options:\n")
    assert parse(["--config", path])[0].model.head_options == {}


# help -------------------------------------------------------------------------------------------------------------


def test_help_names_every_key_and_exits_with_0(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code in (0, None)
    told = capsys.readouterr().out
    for key in known_keys({choice.key: choice.default for choice in CHOICES}):
        assert f"--{key}" in told
    assert "Most examples of a forward pass of one process" in told


def test_texts_are_read_for_help_alone(capsys, monkeypatch):
    """It takes most of the time of parsing: a run in a process that printed the help is as quick as another one."""
    read, original = [], docstring_parser.parse_from_object
    monkeypatch.setattr("docstring_parser.parse_from_object", lambda part: read.append(part) or original(part))
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert read
    read.clear()
    parse([])
    assert not read
