"""The matching probability in closed form: its one derivation, which code elsewhere cites by equation.

A pose is a diagonal Gaussian z ~ N(mean, var). Two poses match with probability (Sun 2020, section 3.2, eq. 6-7)

(1)  P = E[sigmoid(b - a r)],  r = ||z1 - z2||,

which the paper estimates from 20 x 20 samples. z1 - z2 is Gaussian too, with means m = mean1 - mean2 and variances
s = var1 + var2. One dimension of it, squared, has mean m² + s and variance 2s² + 4m²s, so r² has

(2)  mean e = Σm² + Σs  and variance  w = 2Σs² + 4Σm²s.

Let r² be a Gamma variable of that mean and variance: its shape is k = e²/w and its scale w/e. Its root has

(3)  E r = sqrt(w/e) R,  R = Γ(k + ½) / Γ(k),  so that with u = 1/k = w/e²
(4)  (E r)² = e (1 - q)  and  Var r = e q,  q(u) = 1 - u R²,  0 <= u <= 2.

u <= 2 always, as e² >= Σ(m² + s)² >= w/2. q(u)/u falls from 1/4 at u = 0. It is taken to be GAMMA_POLY, a polynomial of
degree four: least squares on Chebyshev nodes, largest error 2e-5 (of q: 4e-5), at most 5e-6 above 1/4. Now let r be
Gaussian with mean ρ = sqrt(e (1 - q)) and deviation σ = sqrt(e q). Gauss-Hermite quadrature of E f(x), x ~ N(0, 1),
with five nodes x_i = 0, ±x1, ±x2 and weights ω_i gives

(5)  P = Σ ω_i sigmoid(b - a (ρ + x_i σ)).

Two nodes ±x at once, with c = exp(a ρ - b) and t = 2 cosh(a σ x), an even function, so that σ² is enough:

(6)  sigmoid(b - a (ρ + x σ)) + sigmoid(b - a (ρ - x σ)) = (2 + c t) / (1 + c t + c²).

Two numbers, fitted on people that the model never saw, move the logit of P (`evaluation.calibrator`):

(7)  P' = sigmoid(slope logit P + offset) = 1 / (1 + exp(-offset) ((1 - P) / P)^slope).

Training needs the derivatives. With s_i the sigmoids of (5) and d_i = ω_i s_i (1 - s_i),

(8)  dP/db = Σ d_i,  dP/dρ = -a Σ d_i,  dP/dσ = -a Σ d_i x_i,  dP/da = -Σ d_i (ρ + x_i σ),

and e and w act through (4): dρ² = (1 - q) de - e dq, dσ² = q de + e dq, dq = q'(u) (dw/e² - 2u de/e).

Search for near clips needs the largest P that any moments e >= e0 and w <= w0 can have. By (4), σ² = (w/e) q(u)/u, at
most w/4e, and ρ² = e - σ², so

(9)  σ² <= v0 = w0 / 4e0  and  ρ² >= e0 - v0.

P falls as ρ grows. In σ, a pair (6) is sigmoid(y - x') + sigmoid(y + x') with y = b - a ρ and x' = a σ x, which rises
with x' where y < 0 and falls where y > 0. So P is largest at

(10) ρ = sqrt(max(e0 - v0, 0)),  with  σ² = v0 if a ρ > b, else σ = 0.

What is approximate: r² is not a Gamma, r is not Gaussian, and five nodes are few. Nothing in (2) cancels, written as
sums over dimensions.

This module is the plain form in numpy. `_kernel` is the same, compiled; `losses.matching` the same in torch, with
gradients; `sequences._nearest_bound` holds (10).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

# Eq. 5: x1, x2, and the weights of 0, of each of ±x1, of each of ±x2.
GAUSS_HERMITE_NODES = (1.3556261799742659, 2.8569700138728056)
GAUSS_HERMITE_WEIGHTS = (0.5333333333333333, 0.2220759220056126, 0.011257411327720688)
GAMMA_POLY = (0.25000465, -0.03121815, -0.00858266, 0.00524543, -0.00084565)  # q(u)/u of eq. 4, constant first

LEAST_MEAN = 1e-12  # of r²: two certain embeddings may coincide
FLOOR = 1e-30  # of odds and probabilities that are divided by
LIMIT, WIDE_LIMIT = 40, 80  # of exponents in eq. 6 and 7: the product of two e**40 is finite in float32


def moments(
    mean_1: Float[np.ndarray, "*#pair dim"], var_1: Float[np.ndarray, "*#pair dim"],
    mean_2: Float[np.ndarray, "*#pair dim"], var_2: Float[np.ndarray, "*#pair dim"],
) -> tuple[Float[np.ndarray, "*pair"], Float[np.ndarray, "*pair"]]:
    """Eq. 2: mean and variance of r² for broadcast pairs of Gaussians."""
    m2, s = (mean_1 - mean_2) ** 2, var_1 + var_2
    e, w = (m2 + s).sum(axis=-1), (2 * s * s + 4 * m2 * s).sum(axis=-1)
    return np.asarray(e), np.asarray(w)  # of one pair too arrays


def probability(
    e: Float[np.ndarray, "*pair"], w: Float[np.ndarray, "*pair"], a: float | Float[np.ndarray, "*pair"],
    b: float | Float[np.ndarray, "*pair"],
) -> Float[np.ndarray, "*pair"]:
    """Eq. 5: uncalibrated P from the moments of r²."""
    e = np.maximum(e, LEAST_MEAN)
    u = np.minimum(w / (e * e), 2)
    q = u * np.polynomial.polynomial.polyval(u, GAMMA_POLY)
    rho, sigma = np.sqrt(e * (1 - q)), np.sqrt(e * q)
    p: np.ndarray = np.zeros_like(e)
    for weight, node in zip(GAUSS_HERMITE_WEIGHTS, (0.0, *GAUSS_HERMITE_NODES)):
        for x in (-node, node) if node else (0.0,):
            p += weight / (1 + np.exp(np.minimum(a * (rho + x * sigma) - b, WIDE_LIMIT)))
    return p


def calibrated(
    p: Float[np.ndarray, "*pair"], slope: float | Float[np.ndarray, "*pair"], offset: float | Float[np.ndarray, "*pair"]
) -> Float[np.ndarray, "*pair"]:
    """Eq. 7."""
    against = np.maximum((1 - p) / np.maximum(p, FLOOR), FLOOR)
    shown: np.ndarray = 1 / (1 + np.exp(np.clip(slope * np.log(against) - offset, -WIDE_LIMIT, WIDE_LIMIT)))
    return shown
