"""The boundaries: imports point down only, one place names concrete parts, nothing is ever executed from data."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "engine", "losses", "models")
SOURCES = [ROOT / "train.py", *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))]
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def imports(tree: ast.AST, at_run_time_only: bool = True) -> set[str]:
    """Dotted names that a file imports: `from a.b import c` gives a.b and a.b.c."""
    skipped = set()
    for node in ast.walk(tree):
        if at_run_time_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= {id(inner) for part in node.body for inner in ast.walk(part)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def of(package: str) -> list[str]:
    return [name for name in TREES if name.startswith(f"{package}/")]


def test_the_sources_are_found():
    assert len(TREES) > 25
    assert {"train.py", "engine/loop.py", "models/backbone.py", "losses/cross_entropy.py", "data/batch.py"} <= set(
        TREES
    )


@pytest.mark.parametrize("package", ["data", "losses", "models"])
def test_leaves_do_not_import_each_other_or_the_engine(package):
    others = {*PACKAGES, "train"} - {package}
    for name in of(package):
        foreign = {module for module in imports(TREES[name], False) if module.split(".")[0] in others}
        if package == "models":
            foreign -= {"data.batch", "data.batch.Batch"}  # the type of what a model reads
        if name == "data/sample/__main__.py":  # a command, which nothing imports; it begins and ends as all of them
            foreign = {module for module in foreign if not module.startswith("engine.command")}
        assert not foreign, name


def dotted(name: str) -> str:
    """The module of a file."""
    return name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


MODULES = {dotted(name) for name in TREES}


def edges(module: str, tree: ast.AST) -> set[str]:
    """Our modules that one imports, inside functions and for types too; a module of another package brings the
    `__init__` of that one with it.
    """
    targets = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            targets |= parts & MODULES or {node.module}
    packages = {target.rpartition(".")[0] for target in targets}
    targets |= {package for package in packages if not f"{module}.".startswith(f"{package}.")}
    return targets & MODULES - {module}


def circle(trees: dict[str, ast.AST]) -> list[str]:
    """Modules that import each other, the first one again at the end; [] where there are none."""
    try:
        TopologicalSorter({dotted(name): edges(dotted(name), tree) for name, tree in trees.items()}).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_import_runs_in_a_circle():
    assert circle(TREES) == []


@pytest.mark.parametrize(
    "name, code",
    [
        ("losses/base.py", "def base():\n    from losses import LOSSES"),
        ("data/schema.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import data.encode"),
        ("engine/scores/metrics.py", "from engine import evaluate"),
        ("models/heads.py", "from models.relation import RelationModel"),
        ("engine/config.py", "from engine.predict.vote import vote"),  # by way of engine/predict/__init__.py
    ],
)
def test_a_circle_is_found_wherever_it_is_hidden(name, code):
    other = ast.Module([*TREES[name].body, *ast.parse(code).body], [])
    assert dotted(name) in circle(TREES | {name: other})


def test_the_engine_does_not_import_the_program():
    assert not [name for name in of("engine") if "train" in {module.split(".")[0] for module in imports(TREES[name])}]


COMMANDS = (
    "engine/predict/", "engine/study/", "engine/repeat/", "engine/data_report/", "engine/compare.py",
    "engine/report/writers.py",
)  # fmt: skip
COMPOSE = ("engine/compose/", "engine/arguments/")  # these and the commands put concrete parts together
# contracts and pure functions that any part of the engine may use: types, collate, the token store
SHARED = (
    "data.batch", "data.store.token_store", "data.markers", "data.readers.options", "data.duplicates",
    "data.store.rows", "data.messages", "data.manifest",
)  # fmt: skip


def concrete(name: str) -> set[str]:
    """What a file imports of the other packages that is no contract."""
    foreign = {module for module in imports(TREES[name]) if module.split(".")[0] in ("models", "losses", "data")}
    return {module for module in foreign if not module.startswith(SHARED)}


def test_only_the_composition_names_concrete_models_losses_and_readers():
    for name in [*of("engine"), "train.py"]:
        assert name.startswith(COMPOSE + COMMANDS) or not concrete(name), name


def test_nothing_is_exempt_without_need():
    for exempt in COMPOSE + COMMANDS:
        assert [name for name in of("engine") if name.startswith(exempt) and concrete(name)], exempt
    others = [name for name in of("engine") if not name.startswith(COMPOSE + COMMANDS)]
    read = {module for name in others for module in imports(TREES[name])}
    for exempt in SHARED:
        assert [module for module in read if module.startswith(exempt)], exempt


def test_only_the_composition_names_registries():
    registries = {"MODELS", "LOSSES", "HEADS", "POOLINGS"}
    for name, tree in TREES.items():
        words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        if name.startswith("engine/") and not name.startswith(COMPOSE + COMMANDS):
            assert not words & registries, name


def test_the_loop_knows_the_engine_only():
    ours = {module for module in imports(TREES["engine/loop.py"]) if module.split(".")[0] in PACKAGES}
    assert ours
    assert all(module.startswith("engine.") for module in ours)
    assert not [module for module in ours if module.startswith(("engine.compose", "engine.arguments"))]
    assert not {module.split(".")[0] for module in imports(TREES["engine/loop.py"])} - {
        "contextlib", "math", "torch", "tqdm", "engine",
    }  # fmt: skip


def test_losses_know_nothing_of_transformers_or_accelerate():
    for name in of("losses"):
        assert not {module.split(".")[0] for module in imports(TREES[name])} & {"transformers", "accelerate"}, name


def test_padding_exists_in_one_file_only():
    for name in TREES:
        text = (ROOT / name).read_text(encoding="utf-8")
        if name not in ("models/backbone.py", "models/attention.py"):  # the latter hands a mask through
            assert not re.search(r"(?<!return_)attention_mask|pad_sequence|F\.pad\(|DataCollator", text), name


def test_no_module_is_a_drawer_for_everything():
    for name in TREES:
        assert not {Path(part).stem for part in Path(name).parts} & {"utils", "util", "misc", "common", "helpers"}, name


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("name", TREES)
def test_nothing_is_executed_or_unpickled(name):
    tree = TREES[name]
    assert not {module.split(".")[0] for module in imports(tree)} & {
        "pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve",
    }  # fmt: skip
    for called, node in calls(tree):
        assert called not in ("eval", "exec", "compile", "__import__"), called
        assert called not in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"), called
        assert not called.endswith(("torch.load", "torch.save", "load_state", "save_state")), called
        assert "register_for_checkpointing" not in called
        for keyword in node.keywords:
            if keyword.arg == "trust_remote_code":
                assert ast.unparse(keyword.value) == "False", called
            if keyword.arg == "allow_pickle":
                assert ast.unparse(keyword.value) == "False", called
        if called in ("np.load", "numpy.load"):
            assert "allow_pickle" in {keyword.arg for keyword in node.keywords}, called


@pytest.mark.parametrize("name", TREES)
def test_what_comes_from_the_hub_is_never_trusted_with_code(name):
    for called, node in calls(TREES[name]):
        if re.fullmatch(r"Auto\w+\.from_pretrained", called):
            assert "trust_remote_code" in {keyword.arg for keyword in node.keywords}, called


@pytest.mark.parametrize("name", TREES)
def test_every_module_says_what_it_is(name):
    assert ast.get_docstring(TREES[name])
