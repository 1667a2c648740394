"""A finished run is kept where the same command would make it again, and only there."""

import json

import pytest

from engine.arguments.parse import parse
from engine.repeat.finished import OtherRunError, same_run


@pytest.fixture
def finished(options, tmp_path):
    """The folder of a run that is finished, as far as its options go, and its command."""
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    command = options()
    (folder / "config.yaml").write_text(parse(command)[0].to_yaml(), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps({"data": {"files": {}}}), encoding="utf-8")
    return folder, command


OTHER = {
    "data.max_length": "200", "model.pooling": "mean", "loss.name": "focal", "optim.warmup": "0.2",
    "train.epochs": "9", "eval.batch_size": "7", "eval.label_prior": "uniform", "eval.resamples": "10",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*a finished run of an older version")
@pytest.mark.parametrize("key", OTHER)
def test_what_a_run_is_must_be_the_same(finished, key):
    folder, command = finished
    same_run(folder, command, {})
    with pytest.raises(OtherRunError, match=rf"finished with other options \({key} .* -> '?{OTHER[key]}'?"):
        same_run(folder, [*command, f"--{key}={OTHER[key]}"], {})


def test_every_section_but_three_is_compared():
    sections = {key.split(".")[0] for key in OTHER}
    assert {*parse([])[0].as_dict()} - sections == {"run", "track", "notify"}


@pytest.mark.filterwarnings("ignore:.*a finished run of an older version")
@pytest.mark.parametrize("option", ["--run.threads=2", "--track.errors=false", "--notify.when=[]"])
def test_where_it_lies_and_what_it_tells_need_not_be(finished, option):
    folder, command = finished
    same_run(folder, [*command, option], {})
