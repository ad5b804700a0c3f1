"""`tf.nn`: activations, softmaxes, cross-entropies, normalisation, dropout, under TensorFlow's names."""

from minitrain.engine.symbolic import admit as _admit
from minitrain.ops.elementwise import log_sigmoid, sigmoid, softplus, tanh
from minitrain.ops.indexing import embedding_lookup, in_top_k, top_k
from minitrain.ops.linear import dense
from minitrain.ops.neural import (
    batch_normalization,
    bias_add,
    compute_average_loss,
    crelu,
    elu,
    gelu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    l2_loss,
    l2_normalize,
    leaky_relu,
    log_poisson_loss,
    log_softmax,
    mish,
    moments,
    normalize_moments,
    relu,
    relu6,
    scale_regularization_loss,
    selu,
    sigmoid_cross_entropy_with_logits,
    silu,
    softmax,
    softmax_cross_entropy_with_logits,
    softsign,
    sparse_softmax_cross_entropy_with_logits,
    sufficient_statistics,
    swish,
    weighted_cross_entropy_with_logits,
    weighted_moments,
)
from minitrain.ops.random import dropout
from minitrain.ops.reduction import zero_fraction

__all__ = [name for name in dir() if not name.startswith("_")]
_admit(globals(), "nn.")
