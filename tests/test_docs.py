"""The front page and docs/: whole, in step with the code and with each other, and followed to the letter."""

import ast
import dataclasses
import fnmatch
import importlib
import importlib.util
import inspect
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
from engine.config import Config
from losses import LOSSES
from models.heads import HEADS
from models.pooling import POOLINGS
from tests import translations

KOREAN = translations.pages()
ENGLISH = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
ALONE = ("docs/speed.md", "docs/extending.md", "docs/contributing.md")  # English only
TEXT = {name: translations.read(name) for name in [*ENGLISH, *KOREAN]}
PART = re.compile(
    r"(?P<code>^```(?s:.*?)^```$)|(?P<heading>^#+ .*$)|(?P<row>^\|.*$)|(?P<mark>^<!--.*$)"
    r"|(?P<text>(?:^(?!#|\||<!--|```).+\n?)+)",
    flags=re.MULTILINE,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# English spells these out where Korean may have digits
SPELLED = {"fifteen": "15", "thirty": "30", "tenth": "10", "third": "1 3"}
COMMANDS = ("predict", "repeat", "compare", "study", "data_report", "notify")
FAST = [
    "--model.scratch.hidden_size", "32", "--model.scratch.layers", "1", "--train.max_updates", "3",
    "--track.tensorboard", "false",
]  # fmt: skip


def blocks(language: str, pages=ENGLISH) -> list[str]:
    return [block for page in pages for block in re.findall(rf"```{language}\n(.*?)```", TEXT[page], flags=re.DOTALL)]


def commands() -> list[str]:
    """Every shell line of the docs, continued lines joined."""
    text = "\n".join(blocks("bash")).replace("\\\n", " ")
    return [re.sub(r" +", " ", line) for line in text.splitlines() if line.strip()]


def dedent(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def parts(text: str) -> list[tuple[str, str]]:
    """Headings with their level, code blocks, rows with their columns and paragraphs, in order."""
    found = []
    for match in PART.finditer(translations.FOLLOWS.sub("\n", text)):
        kind, part = match.lastgroup, match.group()
        size = {"heading": part.split()[0], "row": part.count("|")}.get(kind, "")
        found.append((f"{kind} {size}", part))
    return found


# the front page and the map -----------------------------------------------------------------------------------------


def test_the_front_page_and_every_page_are_short():
    assert len(ENGLISH) == 10
    for name, text in TEXT.items():
        assert len(text.splitlines()) <= (250 if name.startswith("README") else 170), name


def test_step_excerpt_equals_the_loop():
    excerpts = [block for block in blocks("python", ["README.md"]) if "accelerator.backward" in block]
    assert len(excerpts) == 1
    assert len(dedent(excerpts[0])) >= 20
    loop = "\n".join(dedent((ROOT / "engine" / "loop.py").read_text(encoding="utf-8")))
    assert "\n".join(dedent(excerpts[0])) in loop


def mapped() -> set[str]:
    """What the map of the front page names: folders with a slash behind them, and files."""
    text = next(block for block in blocks("text", ["README.md"]) if block.startswith("train.py  "))
    names, parent = set(), ""
    for line in text.splitlines():
        for name in re.split(r"\s{2,}", line.strip())[0].split(", "):
            inside = line.startswith(" ")
            names.add(parent + name if inside else name)
        parent = parent if inside else name
    return names


def test_the_map_names_folders_that_exist_and_all_of_them():
    for name in mapped():
        path = ROOT / name
        assert path.is_dir() if name.endswith("/") else path.is_file(), name
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()

    def ours(folder: Path) -> list[Path]:
        skipped = [".*", *(pattern.rstrip("/") for pattern in ignored)]
        inside = (path for path in folder.iterdir() if path.is_dir() and any(path.iterdir()))
        return [path for path in inside if not any(fnmatch.fnmatch(path.name, pattern) for pattern in skipped)]

    top = ours(ROOT)
    inner = [path for folder in top if folder.name not in ("tests", "benchmarks", "docs") for path in ours(folder)]
    assert {f"{path.relative_to(ROOT)}/" for path in [*top, *inner]} == {n for n in mapped() if n.endswith("/")}


def test_no_placeholder_is_left():
    assert not [name for name, text in TEXT.items() if re.findall(r"^[A-Z]{4,}$", text, flags=re.MULTILINE)]


def test_first_command_and_test_command():
    first = blocks("bash", ["README.md"])
    assert "pip install -e . && accelerate launch train.py\n" in first
    assert 'pip install -e ".[test]" && pytest\n' in first
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'pip install -e ".[test]" && pytest' in ci


def test_output_on_the_front_page_is_what_the_command_prints(sample_run):
    """The same lines; numbers that depend on the machine may differ, the score within its own 95 % interval."""
    shown = next(block for block in blocks("text", ["README.md"]) if "micro-F1" in block)

    def shape(text: str) -> list[str]:
        lines = [re.sub(r"\S*runs\S*", "RUNS", line).strip() for line in text.splitlines() if line.strip() != "..."]
        return [re.sub(r"[\d.,]+", "0", line) for line in lines if line]

    printed = shape(sample_run.output)
    for line in shape(shown):
        assert line in printed, line
    score = float(re.search(r"micro-F1 +([\d.]+)", shown).group(1))
    low, high = re.search(r"95 % interval +micro-F1 ([\d.]+) to ([\d.]+);", sample_run.output).groups()
    assert float(low) <= score <= float(high)


# links --------------------------------------------------------------------------------------------------------------


def anchors(text: str) -> list[str]:
    """Of its headings, as GitHub makes them, in order."""
    headings = [part.lstrip("# ") for kind, part in parts(text) if kind.startswith("heading")]
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def target(page: str, link: str) -> tuple[str, str]:
    """The path from the root that a link of a page leads to, and the anchor there."""
    path, _, anchor = link.partition("#")
    return ((ROOT / page).parent / path).resolve().relative_to(ROOT).as_posix() if path else page, anchor


@pytest.mark.parametrize("page", [*TEXT, "CHANGELOG.md", "benchmarks/NOTES.md"])
def test_links_lead_somewhere(page):
    text = translations.read(page)
    for link in LINK.findall(PART.sub(lambda part: "" if part.lastgroup == "code" else part.group(), text)):
        if link.startswith("https://"):
            continue
        path, anchor = target(page, link)
        assert (ROOT / path).exists(), link
        assert not anchor or anchor in anchors(translations.read(path)), link


def test_anchors_are_those_of_one_heading():
    for name, text in TEXT.items():
        assert len(set(anchors(text))) == len(anchors(text)), name


@pytest.mark.parametrize("page", ENGLISH)
def test_paths_that_are_named_exist(page):
    recipes = {*RECIPES, "findings/"}
    spans = re.findall(r"`((?:engine|data|models|losses|tests|benchmarks|configs|docs)/[\w./-]*)`", TEXT[page])
    assert not [span for span in spans if span not in recipes and not (ROOT / span).exists()]


def test_front_pages_lead_to_every_page():
    def led_to(page: str) -> set[str]:
        return {target(page, link)[0] for link in LINK.findall(TEXT[page]) if not link.startswith("https://")}

    assert not set(ENGLISH) - {"README.md"} - led_to("README.md")
    assert not {*KOREAN, *ALONE} - {"README.ko.md"} - led_to("README.ko.md")
    for page in [*ENGLISH, *KOREAN]:  # and each back to its front page
        assert page.startswith("README") or ("README.ko.md" if page in KOREAN else "README.md") in led_to(page)


# Korean -------------------------------------------------------------------------------------------------------------


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


def comparable(page: str) -> str:
    """The text with links as (English page, number of its heading), which both languages have alike."""

    def replace(match: re.Match) -> str:
        if match[1].startswith("https://"):
            return match[0]
        path, anchor = target(page, match[1])
        heading = anchors(translations.read(path)).index(anchor) if anchor else ""
        return f"]({KOREAN.get(path, path)}#{heading})"

    return LINK.sub(replace, TEXT[page])


def left_column(block: str) -> list[str]:
    return [re.split(r"\s{2,}", line)[0] for line in block.splitlines()]


@pytest.mark.parametrize("page", KOREAN)
def test_korean_pages_have_the_same_parts_and_code(page):
    english, korean = parts(TEXT[KOREAN[page]]), parts(TEXT[page])
    assert [kind for kind, _ in korean] == [kind for kind, _ in english]
    for (kind, ours), (_, theirs) in zip(english, korean, strict=True):
        if ours.startswith("```text\ntrain.py  "):
            assert left_column(theirs) == left_column(ours)
        elif kind.startswith("code"):
            assert theirs == ours


@pytest.mark.parametrize("page", KOREAN)
def test_korean_pages_keep_code_spans_links_numbers_and_names(page):
    for (kind, ours), (_, theirs) in zip(parts(comparable(KOREAN[page])), parts(comparable(page)), strict=True):
        if kind.startswith("code"):
            continue
        for cell, translated in zip(ours.split("|"), theirs.split("|"), strict=True):
            wanted, found = facts(cell), facts(translated)
            assert not wanted - found, translated
            # more names are fine: a card is a GPU
            assert not [fact for fact in found - wanted - spelled(cell) if not fact.isalpha()], translated
            assert translated.count("~") < 2, f"struck out between two ~: {translated}"


def test_every_page_has_a_korean_one_or_says_in_korean_that_it_has_none():
    assert {*KOREAN.values(), *ALONE} == set(ENGLISH)
    for page in ALONE:
        assert re.search("[가-힣]", "\n".join(TEXT[page].splitlines()[:4])), page


def test_korean_pages_follow_the_english_prose_of_today():
    """After the Korean is brought in step: python -m tests.translations PAGE."""
    assert translations.behind() == []


def test_digest_is_of_the_prose_alone():
    text = "# A\n\nSome words.\n\n```python\ncode\n```\n\n<!-- x.py: begin -->\n| 1 |\n<!-- x.py: end -->\n"
    same = "# A\n\nSome\nwords.\n\n```python\nother code\n```\n\n<!-- x.py: begin -->\n| 2 |\n<!-- x.py: end -->\n"
    assert translations.digest(same) == translations.digest(text)
    assert translations.digest(text.replace("words", "other words")) != translations.digest(text)


def test_a_digest_is_renewed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("words\n", encoding="utf-8")
    (tmp_path / "README.ko.md").write_text("낱말\n", encoding="utf-8")
    assert translations.main([]) == 1
    assert "README.ko.md is behind README.md" in capsys.readouterr().out
    assert translations.main(["README.ko.md"]) == 0
    (tmp_path / "README.md").write_text("other words\n", encoding="utf-8")
    assert translations.main([]) == 1
    assert translations.main(["README.ko.md"]) == 0
    assert (tmp_path / "README.ko.md").read_text(encoding="utf-8").count("follows") == 1
    assert translations.main(["docs/ko/none.md"]) == 2


# options, commands, imports -----------------------------------------------------------------------------------------


def keys(section: type, prefix: str = "") -> list[str]:
    """Dotted names of every option of a section and those below it."""
    names = []
    for field in dataclasses.fields(section):
        inner = field.default_factory if dataclasses.is_dataclass(field.default_factory) else None
        names += keys(inner, f"{prefix}{field.name}.") if inner else [prefix + field.name]
    return names


def test_every_option_is_told():
    text = "\n".join(TEXT[page] for page in ENGLISH)
    for spread in set(re.findall(r"([\w.]+\.)\{([\w,]+)\}", text)):
        text += "".join(f" {spread[0]}{name}" for name in spread[1].split(","))
    told = set(re.findall(r"(?<![\w./])(?:--)?([a-z]+(?:\.[a-z_]+)+)", text))
    names = keys(Config)
    assert len(names) > 70
    assert not set(names) - told - {"loss.options"}


def own_options(constructor: type, handed: set[str]) -> dict:
    parameters = inspect.signature(constructor.__init__).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name not in handed | {"self"}}


@pytest.mark.parametrize(
    "page, registry, handed",
    [
        ("docs/losses.md", LOSSES, {"class_counts"}),
        ("docs/models.md", POOLINGS, {"hidden_size"}),
        ("docs/models.md", HEADS, {"features", "hidden_size", "classes"}),
    ],
    ids=["losses", "poolings", "heads"],
)
def test_every_option_of_a_loss_pooling_and_head_is_told_with_its_default(page, registry, handed):
    rows = [part for kind, part in parts(TEXT[page]) if kind.startswith("row")]
    for name, constructor in registry.items():
        own = "\n".join(row for row in rows if f"`{name}`" in "|".join(row.split("|")[:2]))
        assert own, f"{name} is in no table"
        for option, default in own_options(constructor, handed).items():
            assert f"`{option}`" in own or f"`loss.{option}`" in TEXT[page], f"{name}: {option}"
            shown = re.search(rf"`{option}` (-?\d[\d.]*\d|\d)", own)
            if shown and isinstance(default, (int, float)) and f"`{name}`," not in own:
                assert float(shown[1]) == default, f"{name}: {option}"


def test_every_loss_is_recommended_for_some_data():
    table = TEXT["docs/losses.md"].split("## Which loss for which data")[1].split("## ")[0]
    told = {
        name for row in table.splitlines() if row.count("|") == 4 for name in re.findall("`(.*?)`", row.split("|")[2])
    }
    assert told == set(LOSSES)


@pytest.mark.parametrize("command", [c for c in commands() if "train.py" in c and "pip" not in c])
def test_options_of_every_training_command_are_known(command):
    options = shlex.split(command.split("train.py", 1)[1])
    if any(name in options for name in ("confidence_penalty", "product", "lines")):
        pytest.skip("needs the file of its recipe; run in test_recipe")
    parse([str(ROOT / o) if o.startswith("configs/") else o for o in options])


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_every_command_are_known_and_told(name, capsys):
    assert f"`python -m engine.{name}`" in TEXT["README.md"]
    shown = [shlex.split(line) for line in commands() if line.startswith(f"python -m engine.{name} ")]
    assert shown
    if name == "notify":  # it has no options: the rest is another command
        assert all(words[3] == "--" for words in shown)
        return
    module = importlib.import_module(f"engine.{name}")
    main = module.main if hasattr(module, "main") else importlib.import_module(f"engine.{name}.__main__").main
    try:
        code = main(["--help"])
    except SystemExit as left:
        code = left.code
    assert not code
    options = set(re.findall(r"--[a-z][\w.]*", capsys.readouterr().out))
    assert len(options) > 2 or name == "data_report"  # which has those of train.py
    for words in shown:
        ours = words[: words.index("--")] if "--" in words else words
        rest = words[len(ours) + 1 :]
        given = {word for word in ours if word.startswith("--")}
        dotted = {option for option in given if "." in option or option == "--config"}
        assert not given - dotted - options, words
        parse(training_options(ours[3:], dotted) + [str(ROOT / o) if o.startswith("configs/") else o for o in rest])
    pages = "\n".join(TEXT[page] for page in ENGLISH)
    own = {option for option in options if "." not in option} - {"--help", "--config", *sections()}
    assert not {option for option in own if not re.search(rf"{option}\b", pages)}


def sections() -> set[str]:
    return {f"--{field.name}" for field in dataclasses.fields(Config)}


def training_options(words: list[str], dotted: set[str]) -> list[str]:
    """Those words that train.py knows, with their values."""
    pairs = [words[place : place + 2] for place, word in enumerate(words) if word in dotted]
    return [str(ROOT / word) if word.startswith("configs/") else word for pair in pairs for word in pair]


def test_every_module_that_is_started_can_be():
    text = "\n".join([*TEXT.values(), translations.read("CHANGELOG.md")])
    modules = set(re.findall(r"python -m ((?:data|engine|tests)\.\w+)", text))
    assert {f"engine.{name}" for name in COMMANDS} | {"data.sample", "tests.drills", "tests.translations"} == modules
    for module in modules:
        spec = importlib.util.find_spec(module)
        path = Path(spec.origin)
        path = path.with_name("__main__.py") if path.name == "__init__.py" else path
        assert 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"), module


def test_every_import_that_is_shown_works():
    shown = set(re.findall(r"`((?:from [\w.]+ )?import [\w., ]+)`", "\n".join(TEXT.values())))
    for block in blocks("python"):
        if block.startswith("# ") or "accelerator.backward" in block:
            continue  # a recipe, followed below, or the step
        shown |= {ast.unparse(node) for node in ast.parse(block).body if isinstance(node, (ast.Import, ast.ImportFrom))}
    changes = translations.read("CHANGELOG.md")
    shown |= set(re.findall(r"`(from [\w.]+ import [\w., ]+)`", changes))
    assert {"from engine.predict import Predictor", "from engine.notify import notify"} <= shown
    for statement in shown:
        exec(statement, {})


def test_the_changelog_names_modules_that_are_there():
    """Of `old` -> `new` the new one exists, and the old one does not."""
    moves = re.findall(r"^\| `([\w/.]+)` \| `([\w/.]+)` \|", translations.read("CHANGELOG.md"), flags=re.MULTILINE)
    assert len(moves) > 50
    for old, new in moves:
        assert (ROOT / new).exists(), new
        assert not (ROOT / old).is_file(), old


# the recipes --------------------------------------------------------------------------------------------------------

RECIPES = ("losses/confidence_penalty.py", "models/product.py", "data/readers/lines.py")


@pytest.fixture
def copy(tmp_path) -> Path:
    """The repository as a newcomer has it."""
    for name in ("engine", "models", "losses", "data", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", tmp_path)
    return tmp_path


def follow(folder: Path, name: str) -> None:
    """Write the recipe's file, and its import and its line into the file that has the registry."""
    package, _, file = name.rpartition("/")
    recipe = next(block for block in blocks("python") if block.startswith(f"# {name}\n"))
    (folder / name).write_text(recipe, encoding="utf-8")
    entry = f'"{file.removesuffix(".py")}": '
    lines = next(
        block.splitlines()
        for block in blocks("python")
        if block.startswith(f"# {package}/") and block.splitlines()[-1].strip().startswith(entry)
    )
    path = folder / lines[0].removeprefix("# ")
    text = path.read_text(encoding="utf-8")
    registry = re.search(r"^[A-Z]+(: .*)? = \{$", text, flags=re.MULTILINE)[0]
    if package == "data/readers":
        text = re.sub(r"from data.readers import .*", lines[1], text)
        text = text.replace(registry, registry + lines[2].strip() + " ")
    else:
        text = text.replace(registry, lines[1] + f"\n\n{registry}\n{lines[2]}")
    path.write_text(text, encoding="utf-8")


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
    script += "from engine.arguments.parse import parse\n"
    script += "parse(['--loss.name=r_drop', '--loss.base=confidence_penalty'])\n"
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
