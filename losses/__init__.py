"""Losses: modules without parameters, called by the loop.

    loss(output, labels) -> (B,)    per-example values that already contain the example's weight, in float32
    loss.weight(labels) -> (B,)     the example's share of the denominator (ones unless weighted)
    loss.at(epoch) -> loss          the loss of that epoch

The loop divides by the weight of the whole update, over all micro-batches and processes. `output.logits` is (B, C),
`labels` (B,). A loss is made with `class_counts` (C,), the training examples of each class, and its own options, which
are the `loss.*` options of the configuration. Adding one = one file + one line here.
"""

from losses.cross_entropy import CrossEntropy

LOSSES = {
    "cross_entropy": CrossEntropy,
}
