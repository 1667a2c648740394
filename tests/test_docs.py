"""The README: its excerpt, its tree, its commands and its recipes, followed to the letter."""

import json
import re
import shlex
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from conftest import ROOT, SHARED_DATA, run_command
from engine.arguments.parse import parse

README = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")
PART = re.compile(
    r"(?P<code>^```(?s:.*?)^```$)|(?P<heading>^#+ .*$)|(?P<row>^\|.*$)|(?P<mark>^<!--.*$)"
    r"|(?P<text>(?:^(?!#|\||<!--|```).+\n?)+)",
    flags=re.MULTILINE,
)
# English spells these out where Korean may have digits
SPELLED = {"fifteen": "15", "thirty": "30", "tenth": "10", "third": "1 3"}
FAST = [
    "--model.scratch.hidden_size", "32", "--model.scratch.layers", "1", "--train.max_updates", "3",
    "--track.tensorboard", "false",
]  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """Every shell line of the README, continued lines joined."""
    text = "\n".join(blocks("bash")).replace("\\\n", " ")
    return [re.sub(r" +", " ", line) for line in text.splitlines() if line.strip()]


def dedent(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def test_step_excerpt_equals_the_loop():
    excerpts = [block for block in blocks("python") if "accelerator.backward" in block]
    assert len(excerpts) == 1
    assert len(dedent(excerpts[0])) >= 20
    loop = "\n".join(dedent((ROOT / "engine" / "loop.py").read_text(encoding="utf-8")))
    assert "\n".join(dedent(excerpts[0])) in loop


def test_tree_names_files_that_exist_and_all_modules():
    tree = README.split("## The tree")[1].split("```")[1]
    named = set()
    for line in tree.splitlines()[1:]:
        if not line.strip():
            continue
        folder = ""
        for name in re.split(r"\s{2,}", line.strip())[0].split(", "):
            folder = name.rpartition("/")[0] if "/" in name else folder
            path = name if "/" in name or not folder else f"{folder}/{name}"
            assert (ROOT / path).exists(), path
            named.add(path)
    modules = {
        str(path.relative_to(ROOT))
        for package in ("engine", "models", "data")
        for path in (ROOT / package).glob("*.py")
    }
    small = {"data/labels.py", "data/readers/source.py", "data/readers/text.py"} | {
        m for m in modules if m.endswith("__init__.py")
    }
    assert modules - named - small == set()


def test_no_placeholder_is_left():
    assert not re.findall(r"^[A-Z]{4,}$", README, flags=re.MULTILINE)


def test_first_command_and_test_command():
    assert "pip install -e . && accelerate launch train.py" in commands()
    assert 'pip install -e ".[test]" && pytest' in commands()
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'pip install -e ".[test]" && pytest' in ci


def test_output_in_the_readme_is_what_the_command_prints(sample_run):
    """The same lines; numbers that depend on the machine may differ."""
    shown = next(block for block in blocks("text") if "micro-F1" in block)

    def shape(text: str) -> list[str]:
        lines = [re.sub(r"\S*runs\S*", "RUNS", line).strip() for line in text.splitlines() if line.strip() != "..."]
        return [re.sub(r"[\d.,]+", "0", line) for line in lines if line]

    printed = shape(sample_run.output)
    for line in shape(shown):
        assert line in printed, line
    score = float(re.search(r"micro-F1 +([\d.]+)", shown).group(1))
    assert score == pytest.approx(sample_run.report["dev"]["micro_f1"], abs=3)


def parts(text: str) -> list[tuple[str, str]]:
    """Headings with their level, code blocks, rows with their columns and paragraphs, in order."""
    found = []
    for match in PART.finditer(text):
        kind, part = match.lastgroup, match.group()
        size = {"heading": part.split()[0], "row": part.count("|")}.get(kind, "")
        found.append((f"{kind} {size}", part))
    return found


def names_in(block: str) -> list[str]:
    """The left column of the tree."""
    return [re.split(r"\s{2,}", line)[0] for line in block.splitlines()]


def facts(text: str) -> Counter:
    """What a translation keeps: code spans, link targets, numbers with their sign, and names with two capitals."""
    text = " ".join(text.split())
    kept = re.compile(r"`[^`]+`|\]\([^)]+\)")
    prose = kept.sub(" ", text)
    names = set(re.findall(r"[A-Za-z]*[A-Z][a-z]*[A-Z][A-Za-z]*?(?=s?(?:[^A-Za-z]|$))", prose))
    return Counter([*kept.findall(text), *re.findall(r"[+-]?\d+(?:[.,]\d+)*", prose), *names])


def spelled(text: str) -> Counter:
    words = re.findall("[a-z]+", text.lower())
    return Counter(number for word in words for number in SPELLED.get(word, "").split())


def test_korean_readme_has_the_same_parts_and_code():
    english, korean = parts(README), parts(KOREAN)
    assert [kind for kind, _ in korean] == [kind for kind, _ in english]
    for (kind, ours), (_, theirs) in zip(english, korean, strict=True):
        if ours.startswith("```text\ntrain.py  "):
            assert names_in(theirs) == names_in(ours)
        elif kind.startswith("code"):
            assert theirs == ours


def test_korean_readme_keeps_code_spans_links_numbers_and_names():
    here = KOREAN.replace("[English](README.md)", "[한국어](README.ko.md)")
    for (kind, ours), (_, theirs) in zip(parts(README), parts(here), strict=True):
        if kind.startswith("code"):
            continue
        for cell, translated in zip(ours.split("|"), theirs.split("|"), strict=True):
            wanted, found = facts(cell), facts(translated)
            assert not wanted - found, translated
            # more names are fine: a card is a GPU
            assert not [fact for fact in found - wanted - spelled(cell) if not fact.isalpha()], translated
            assert translated.count("~") < 2, f"struck out between two ~: {translated}"


@pytest.mark.parametrize("command", [c for c in commands() if "train.py" in c and "pip" not in c])
def test_options_of_every_training_command_are_known(command):
    options = shlex.split(command.split("train.py", 1)[1])
    if any(name in options for name in ("confidence_penalty", "product", "lines")):
        pytest.skip("needs the file of its recipe; run in test_recipe")
    parse([str(ROOT / o) if o.startswith("configs/") else o for o in options])


@pytest.fixture
def copy(tmp_path) -> Path:
    """The repository as a newcomer has it."""
    for name in ("engine", "models", "losses", "data", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", tmp_path)
    return tmp_path


def follow(folder: Path, name: str) -> None:
    """Write the recipe's file, and its import and its line into the package's __init__."""
    package, _, file = name.rpartition("/")
    recipe = next(block for block in blocks("python") if block.startswith(f"# {name}\n"))
    (folder / name).write_text(recipe, encoding="utf-8")
    module = file.removesuffix(".py")
    lines = next(
        block.splitlines()
        for block in blocks("python")
        if block.startswith(f"# {package}/__init__.py\n") and f'"{module}"' in block
    )
    init = folder / package / "__init__.py"
    text = init.read_text(encoding="utf-8")
    registry = {
        "losses": "LOSSES = {", "models": "MODELS = {", "data/readers": "FORMATS: dict[str, ModuleType] = {",
    }[package]  # fmt: skip
    assert registry in text
    if package == "data/readers":
        text = re.sub(r"from data.readers import .*", lines[1], text)
        text = text.replace(registry, registry + lines[2].strip() + " ")
    else:
        text = text.replace(registry, lines[1] + f"\n\n{registry}\n{lines[2]}")
    init.write_text(text, encoding="utf-8")


RECIPES = ("losses/confidence_penalty.py", "models/product.py", "data/readers/lines.py")


@pytest.mark.timeout(200)
def test_recipes(copy, sample_run):
    """All three in one copy of the repository, each with its own command; one process, to import torch once."""
    arguments = []
    for name in RECIPES:
        follow(copy, name)
        module = Path(name).stem
        command = next(c for c in commands() if c.startswith("python train.py") and f" {module}" in c)
        options = [*command.removeprefix("python train.py").split(), *FAST, "--run.dir", "runs", "--run.name", module]
        arguments.append([*options, "--data.cache_dir", str(sample_run.cache)])
    rows = ["좋음\t정말 재미있다!", "나쁨\t지루한 영화", "좋음\t또 보고 싶다!!", "나쁨\t돈이 아깝다"]
    for part in ("train.tsv", "dev.tsv"):
        (copy / part).write_text("\n".join(rows) + "\n", encoding="utf-8")
    (copy / "labels.txt").write_text("좋음\n나쁨\n", encoding="utf-8")
    bad = [*arguments[-1], "--data.train", "bad.tsv", "--run.name", "bad"]
    (copy / "bad.tsv").write_text("\n".join([*rows, "no label"]) + "\n", encoding="utf-8")
    script = f"from train import main\nfor argv in {arguments!r}:\n    assert main(argv) == 0, argv\n"
    script += f"assert main({bad!r}) == 2\n"
    (copy / "recipes.py").write_text(script)

    done = run_command([sys.executable, "recipes.py"], cwd=copy)
    assert done.returncode == 0, done.stderr
    assert "bad.tsv, row 5: no TAB in 'no label'" in done.stderr
    for name in RECIPES:
        assert (copy / "runs" / Path(name).stem / "report.json").is_file(), name
    penalty = (copy / "runs" / "confidence_penalty" / "config.yaml").read_text()
    assert "name: confidence_penalty\n  strength: 0.2" in penalty
    assert '"model_type": "product"' in (copy / "runs" / "product" / "best" / "config.json").read_text()
    assert json.loads((copy / "runs" / "lines" / "best" / "labels.json").read_text()) == ["좋음", "나쁨"]


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the folder ../shared/data with the real data is absent")
def test_real_data_command_parses_and_finds_its_files():
    command = next(c for c in commands() if "boostcamp.yaml" in c and "scratch" in c)
    options = command.split("train.py", 1)[1].split()
    config, _, _ = parse([str(ROOT / o) if o.startswith("configs/") else o for o in options])
    assert config.optim.lr == 1e-3  # a backbone from nothing
    assert config.train.epochs == 2
    assert config.data.dev is not None
