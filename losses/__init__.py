"""Losses: modules without parameters, called by the loop.

    loss(output, labels) -> (B,)    per-example values that already contain the example's weight, in float32
    loss.weight(labels) -> (B,)     the example's share of the denominator (ones unless weighted)
    loss.at(epoch) -> loss          the loss of that epoch
    loss.views, loss.group          how many times an example stands in its micro-batch, how many see each other

The loop divides by the weight of the whole update, over all micro-batches and processes. `output.logits` is (B, C),
`labels` (B,); with `views` v they have B * v rows, the views of an example next to each other, and one value an example
comes back. A loss is made with `class_counts` (C,), the training examples of each class, and its own options, which are
the `loss.*` options of the configuration. Adding one = one file + one line in `losses/pointwise.py`, or here where it
needs views or neighbours.
"""

from losses.pointwise import POINTWISE
from losses.r_drop import RDrop
from losses.supervised_contrastive import SupervisedContrastive

LOSSES = {
    **POINTWISE,
    "r_drop": RDrop,
    "supervised_contrastive": SupervisedContrastive,
}
