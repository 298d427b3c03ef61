"""A light classifier over the moments of a clip: random convolutions, weighed (Dempster, Petitjean and Webb 2020).

ROCKET: many small random convolutions along time, of a few of the embedding's dimensions each; of every one's answers
the share above zero and the largest are kept, and a linear rule weighs them. Nothing but the rule is learned, so that
training takes seconds. Ours: softmax regression in place of ridge, as probabilities are wanted; clips count as they are
and mirrored; moments without the person are interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from samepose.matching.embeddings import Embeddings
from samepose.sequences.clip import Clip

_DILATIONS = (1, 2, 3, 4)  # moments from one tap to the next
_TAPS = 7
_LENGTHS = (3, 5, 7)
_CHANNELS = 5  # of the embedding's dimensions that a convolution sees, at most
_KERNELS = 384  # of each dilation
_STRENGTH = 30.0  # of the data against the prior of small weights, as C in scikit-learn; 10 to 100 do as well


@dataclass(frozen=True, eq=False)
class ActionClassifier:
    """How likely a clip shows each of some actions. Build with `ActionClassifier.fit`.

    Attributes:
        actions: their names, sorted.
        centre, scale: of embeddings, before they are convolved.
        kernels, biases: (dilation, taps x dim, kernel) and (dilation, kernel).
        mean, deviation: (feature,) of the features of the examples.
        weights, offsets: (feature, action) and (action,).
    """

    actions: tuple[str, ...]
    centre: Float[np.ndarray, " dim"]
    scale: float
    kernels: Float[np.ndarray, "dilation tap kernel"]
    biases: Float[np.ndarray, "dilation kernel"]
    mean: Float[np.ndarray, " feature"]
    deviation: Float[np.ndarray, " feature"]
    weights: Float[np.ndarray, "feature action"]
    offsets: Float[np.ndarray, " action"]

    @classmethod
    def fit(cls, clips: Sequence[Clip], actions: Sequence[str], seed: int = 0) -> ActionClassifier:
        """Learn from clips of one rate, and the action of each; of two actions at least.

        Args:
            seed: of the convolutions.
        """
        seen = np.concatenate([clip.embeddings.mean[clip.found] for clip in clips])
        centre, scale = seen.mean(axis=0), max(float(seen.std()), 1e-6)
        kernels, biases = _convolutions(seen.shape[1], np.random.default_rng(seed))
        x = np.concatenate([_features((_moments(clip, side) - centre) / scale, kernels, biases)[None]
                            for side in (False, True) for clip in clips])
        mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6) * np.sqrt(x.shape[1])
        names, truth = np.unique(np.array(actions), return_inverse=True)
        weights, offsets = _softmax_regression((x - mean) / deviation, np.tile(truth, 2), len(names))
        return cls(tuple(names.tolist()), centre, scale, kernels, biases, mean, deviation, weights, offsets)

    def log_probabilities(self, clip: Clip) -> dict[str, float]:
        """Of each action, natural logarithms; the mean over the clip and its mirror image."""
        x = np.stack([_features((_moments(clip, side) - self.centre) / self.scale, self.kernels, self.biases)
                      for side in (False, True)])
        logits = ((x - self.mean) / self.deviation) @ self.weights + self.offsets
        return dict(zip(self.actions, log_softmax(log_softmax(logits).mean(axis=0)).tolist()))


def log_softmax(logits: Float[np.ndarray, "*batch action"]) -> Float[np.ndarray, "*batch action"]:
    """Logarithms of probabilities that are proportional to exp(logits)."""
    out: np.ndarray = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return out


def _convolutions(dim: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Of each a length, a few dimensions, normal weights (half of them with a mean of zero along time), and a bias."""
    shape = (len(_DILATIONS), _KERNELS)
    weights = rng.standard_normal((*shape, _TAPS, dim))
    outside = np.abs(np.arange(_TAPS) - _TAPS // 2) > rng.choice(_LENGTHS, shape)[..., None] // 2
    taken = rng.random((*shape, dim)).argsort(axis=-1) < rng.integers(1, min(_CHANNELS, dim) + 1, shape)[..., None]
    inside = ~outside[..., None] & taken[..., None, :]
    weights *= inside
    middle = weights.sum(axis=2, keepdims=True) / np.maximum(inside.sum(axis=2, keepdims=True), 1)
    weights -= middle * inside * (rng.random(shape) < 0.5)[..., None, None]
    kernels = weights.reshape(*shape, _TAPS * dim).transpose(0, 2, 1)
    return np.ascontiguousarray(kernels, np.float32), rng.uniform(-2, 2, shape).astype(np.float32)


def _moments(clip: Clip, mirrored: bool) -> Float[np.ndarray, "time dim"]:
    """Means of the embeddings, interpolated where nobody is found."""
    embedded: Embeddings = clip.mirrored if mirrored else clip.embeddings
    at = np.flatnonzero(clip.found)
    return np.stack([np.interp(np.arange(len(clip)), at, column) for column in embedded.mean[at].T], axis=1)


def _features(
    moments: Float[np.ndarray, "time dim"], kernels: Float[np.ndarray, "dilation tap kernel"],
    biases: Float[np.ndarray, "dilation kernel"],
) -> Float[np.ndarray, " feature"]:
    """Of each convolution the share of answers above zero, and a tenth of the largest (so that both weigh alike)."""
    steps = np.arange(_TAPS) - _TAPS // 2
    out = []
    for dilation, kernel, bias in zip(_DILATIONS, kernels, biases):
        at = np.clip(np.arange(len(moments))[:, None] + dilation * steps, 0, len(moments) - 1)
        answers = moments[at].reshape(len(moments), -1).astype(np.float32) @ kernel + bias
        out += [(answers > 0).mean(axis=0), answers.max(axis=0) / 10]
    return np.concatenate(out)


def _softmax_regression(
    x: Float[np.ndarray, "n feature"], truth: np.ndarray, classes: int
) -> tuple[Float[np.ndarray, "feature action"], Float[np.ndarray, " action"]]:
    """Weights and offsets of the least cross-entropy, weights held small by a normal prior."""
    features, one_hot = x.shape[1], np.eye(classes)[truth]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, offsets = flat[:-classes].reshape(features, classes), flat[-classes:]
        told = log_softmax(x @ weights + offsets)
        slope = _STRENGTH * (np.exp(told) - one_hot)
        value = -_STRENGTH * float((told * one_hot).sum()) + float((weights**2).sum()) / 2
        return value, np.concatenate([(x.T @ slope + weights).ravel(), slope.sum(axis=0)])

    found = minimize(loss, np.zeros((features + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return found[:-classes].reshape(features, classes), found[-classes:]
