"""What a run prints before it starts."""

import re

from engine.compose.summary import describe


def test_all_parameters_are_counted_those_that_learn_and_those_that_do_not(start):
    run = start()
    model, parts = run.parts.model, run.parts
    words = model.backbone.get_input_embeddings().weight
    words.requires_grad_(False)
    text = describe(run.config, run.data, parts.loader, parts.total, model, parts.accelerator, "fp32", 1, [])
    groups = text[text.index("\nlearning ") :].strip().splitlines()[1:]
    counts = {line.split()[0]: 0 for line in groups}
    for line in groups:
        name, _, count, *_ = re.split(r" {2,}", line)
        counts[name] += int(count.replace(",", ""))
    assert counts["frozen"] == words.shape[0] * 32  # model.scratch.hidden_size
    assert {*counts} == {"backbone", "head", "frozen"}
    total = sum(value.numel() for name, value in model.state_dict().items() if name in dict(model.named_parameters()))
    assert sum(counts.values()) == total > counts["frozen"]
    assert f"\nparameters   {total:,}\n" in text
    assert f"\nparameters   {total:,}\n" in run.summary
