"""Every configuration file that is bundled is understood."""

from pathlib import Path

import pytest
import yaml

from engine.arguments.parse import parse

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))


def test_there_are_configurations():
    assert {"sample.yaml", "klue_re.yaml", "boostcamp.yaml", "semeval.yaml", "classification.yaml"} <= {
        path.name for path in FILES
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_parses_and_says_what_it_writes(path):
    config, used, notices = parse(["--config", str(path)])
    assert used == path
    assert notices == []
    values = config.as_dict()
    for section, keys in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        for key, value in keys.items():
            if isinstance(value, dict):
                assert {name: values[section][key][name] for name in value} == value
            elif value is not None:
                assert values[section][key] == (float(value) if isinstance(values[section][key], float) else value)
    assert config.optim.lr > 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_begins_with_a_line_that_says_what_it_is(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert len(first) > 20


def test_launcher_configurations_are_yaml():
    for path in CONFIGS.glob("accelerate/*.yaml"):
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), path
