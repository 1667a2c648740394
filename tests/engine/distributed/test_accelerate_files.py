"""The launch files of configs/accelerate, and FSDP2 on two CPU processes: the same run, the same files."""

import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file
from transformers import AutoModel

import models  # noqa: F401 (registers the model with AutoModel)
import train as program
from conftest import Launch, blank_figure, metric_lines
from engine.distributed.device import make_accelerator
from engine.distributed.sharded import sharding

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "configs" / "accelerate").glob("*.yaml"))
RUN_HERE = {"one_cpu.yaml", "cpu_processes.yaml", "fsdp2.yaml"}
SIX_UPDATES = {
    "train__epochs": 2, "train__micro_batch_size": 5, "train__save_every": 3, "eval__every": 3, "optim__lr": 0.003,
    "model__scratch__layers": 2,
}  # fmt: skip


# the files --------------------------------------------------------------------------------------------------------


def test_there_is_a_file_for_each_place_to_run():
    assert {path.name for path in FILES} == RUN_HERE | {"one_gpu.yaml", "gpus.yaml", "nodes.yaml"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_accelerate_reads_it_and_its_head_says_command_and_whether_it_was_run(path):
    config = load_config_from_file(str(path))  # unknown keys are an error
    assert config.mixed_precision == "no"  # train.precision decides
    text = path.read_text(encoding="utf-8")
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    assert text.startswith(head)
    assert f"accelerate launch --config_file configs/accelerate/{path.name} " in head
    assert ("the tests" in head) == (path.name in RUN_HERE | {"nodes.yaml"})
    assert ("not run" in head) == (path.name not in {"one_cpu.yaml", "cpu_processes.yaml"})
    assert set(yaml.safe_load(text)) <= set(config.to_dict())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_docs_list_it(path):
    assert f"`{path.name}`" in (ROOT / "docs" / "running.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP 1, expected FSDP2"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}, "FSDP 1, expected FSDP2"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "asks for DEEPSPEED, expected one process, several, or FSDP2"),
        ({"ACCELERATE_USE_MEGATRON_LM": "true"}, "asks for MEGATRON_LM"),
        ({"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "asks for PARALLELISM_CONFIG"),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": "true"},
            "asks for fsdp_offload_params",
        ),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_ACTIVATION_CHECKPOINTING": "true"},
            "use model.gradient_checkpointing",
        ),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_IGNORED_MODULES": "head.*"},
            "asks for fsdp_ignored_modules",
        ),
    ],
)
def test_other_engines_are_refused_and_not_ignored(monkeypatch, asked, message):
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        make_accelerator("fp32")


@pytest.mark.parametrize("precision, half", [("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_a_sharded_gradient_is_summed_in_float32(monkeypatch, precision, half):
    monkeypatch.setenv("FSDP_VERSION", "2")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")  # accelerate's own default; the plugin changes it
    policy = sharding(precision).mixed_precision_policy
    assert policy.param_dtype == half
    assert policy.reduce_dtype == (half and torch.float32)
    assert os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "False"


# the runs ---------------------------------------------------------------------------------------------------------


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def tensors(folder: Path, step: int, name: str = "model") -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoints" / f"step-{step:08d}" / f"{name}.safetensors")


def form(values: dict[str, torch.Tensor]) -> dict:
    return {name: (tuple(value.shape), value.dtype) for name, value in values.items()}


def same(mine: dict, theirs: dict) -> bool:
    return form(mine) == form(theirs) and all(torch.equal(mine[name], theirs[name]) for name in theirs)


def distance(mine: dict, theirs: dict) -> float:
    """Without key biases: their true gradient is zero and Adam scales up the rounding noise."""
    kept = [name for name in theirs if not name.endswith("key.bias")]
    return sum(float((mine[name].double() - theirs[name].double()).square().sum()) for name in kept) ** 0.5


def continued(folder: Path, name: str) -> Path:
    """What a run leaves that was killed after its checkpoint of update 3, under another name."""
    other = folder.parent / name
    shutil.copytree(folder / "checkpoints" / "step-00000003", other / "checkpoints" / "step-00000003")
    return other


@pytest.mark.usefixtures("all_cores")
@pytest.mark.timeout(280)
def test_the_file_for_several_machines_makes_them_one(tmp_path):
    """With the values that its comments say to change: both are this one. What the other files start is seen where they
    train: one_cpu.yaml in tests/test_train.py, cpu_processes.yaml in test_processes.py, fsdp2.yaml below."""
    here = ("--num_processes", "2", "--main_process_ip", "127.0.0.1", "--main_process_port", str(free_port()))
    worker = str(Path(__file__).with_name("started_worker.py"))
    machines = [Launch("nodes.yaml", worker, str(tmp_path), launcher=(*here, "--machine_rank", n)) for n in "01"]
    for machine in machines:
        machine.end()
    pair = {"processes": 2, "everyone": [0, 1], "type": "MULTI_CPU", "precision": "no"}
    found = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
    assert found == [pair | {"machine": n} for n in (0, 1)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Sharded:
    """Runs under FSDP2 and plain ones: `sharded` and `plain` whole, the others continue their third update of six."""

    runs: Path
    output: str
    untouched: list[dict]


@pytest.fixture(scope="module")
def trained(all_cores, tiny_run, tmp_path_factory) -> Sharded:
    """One launch, whose two processes train all sharded runs; the last one is train.py's, as a user starts it."""
    base = tmp_path_factory.mktemp("fsdp2")
    runs, worker = base / "runs", str(Path(__file__).with_name("sharded_worker.py"))

    def options(name: str, **more) -> list[str]:
        return tiny_run(base, **SIX_UPDATES | {"run__name": name} | more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.tracking.figures.confusion", blank_figure)
        assert program.main(options("plain")) == 0
        continued(runs / "plain", "taken")
        steep = options("steep", train__log_every=100, loss__name="steep")
        commands = [options("sharded"), options("taken"), steep, options("again")]
        output = Launch("fsdp2.yaml", worker, str(base), json.dumps(commands)).end()
        continued(runs / "sharded", "back")
        assert program.main(options("back")) == 0
    return Sharded(runs, output, [json.loads((base / f"{process}.json").read_text()) for process in (0, 1)])


@pytest.mark.timeout(280)
def test_fsdp2_trains_and_saves_like_a_plain_run(trained):
    sharded, plain = trained.runs / "sharded", trained.runs / "plain"
    again = trained.runs / "again"
    assert "2 on cpu, sharded (FSDP2)" in trained.output
    assert "warning" not in trained.output
    assert trained.output.count("\nmicro-F1 ") == 1  # one of them speaks
    assert report(again)["processes"] == 2
    assert report(again)["examples_per_rank"] == [35, 35]

    # the same files: names, shapes and types, and the same run in them
    for step in (3, 6):
        for name in ("model", "optimizer"):
            assert form(tensors(sharded, step, name)) == form(tensors(plain, step, name))
        size = distance({n: torch.zeros_like(v) for n, v in tensors(plain, step).items()}, tensors(plain, step))
        assert distance(tensors(sharded, step), tensors(plain, step)) < 1e-6 * size
    for mine, theirs in zip(*(metric_lines(folder) for folder in (sharded, plain)), strict=True):
        mine.pop("speed", None), theirs.pop("speed", None)
        assert mine.pop("split") == theirs.pop("split")
        assert mine == pytest.approx(theirs, abs=1e-5, rel=1e-5)  # losses, scores, and the norm of the whole gradient
    best = AutoModel.from_pretrained(again / "best")
    assert same(dict(best.state_dict()), tensors(again, report(again)["step"]))
    assert (again / "best" / "config.json").read_bytes() == (plain / "best" / "config.json").read_bytes()


@pytest.mark.timeout(280)
def test_fsdp2_continues_its_own_and_a_plain_run_and_a_plain_run_a_sharded_one(trained):
    sharded, plain = trained.runs / "sharded", trained.runs / "plain"
    again, taken, back = (trained.runs / name for name in ("again", "taken", "back"))
    for name in ("again", "taken"):
        assert f"continuing {trained.runs / name} after update 3" in trained.output
    for name in ("model", "optimizer"):  # bit for bit what was never interrupted
        assert same(tensors(again, 6, name), tensors(sharded, 6, name))
    moved = distance(tensors(plain, 6), tensors(plain, 3))
    assert distance(tensors(taken, 6), tensors(plain, 6)) < 1e-5 * moved
    assert distance(tensors(back, 6), tensors(sharded, 6)) < 1e-5 * moved


@pytest.mark.timeout(280)
def test_a_gradient_that_is_not_finite_changes_no_part_of_a_sharded_model(trained):
    """Update 4 is bad for one class, update 6 is where the host looks: weights and moments are those of update 3."""
    one, two = trained.untouched
    assert one == two
    assert one["kind"] == "FSDP"
    assert one["sharded"]
    assert one["untouched"] == {"model.safetensors": True, "optimizer.safetensors": True}
    assert f"in update 4 (epoch 2): examples {', '.join(one['blamed'])};" in one["message"]
