"""Computes what the engines of modegate's gates compute, by gbstats, ville and formulas written a
second time. One JSON document in, one out; exit code 3 where gbstats or ville is not installed."""

import json
import math
import sys

try:
    import numpy as np
    from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest
    from gbstats.models.statistics import SampleMeanStatistic
    from ville._boundaries import normal_mixture
    from ville.evalues import combine
    from ville.proportions import BernoulliTest
except ImportError as missing:
    print(missing, file=sys.stderr)
    sys.exit(3)


def e_process(question):
    """Bets on each event by itself: 1 + λ(x - θ0), x being 1 for one of the canary's, with the λ of
    a grid point. ville multiplies them and takes the mean over the grid."""
    null, weight = question["null"], 1 / question["effect"]
    products = []
    for ratio in question["grid"]:
        bets = []
        for n_c, e_c, n_k, e_k in question["looks"]:
            if n_c == 0 or n_k == 0:
                continue
            theta, theta_0 = (n_c * rho / (n_c * rho + n_k) for rho in (ratio, null))
            stake = (theta - theta_0) / (theta_0 * (1 - theta_0))
            for x, events in ((1, e_c), (0, e_k)):
                bets += [(1 + stake * (x - theta_0)) ** weight] * events
        products.append(combine(bets, "product") if bets else 1.0)
    return {"log_e": math.log(combine(products, "mean"))}


def bernoulli(question):
    """ville's own e-process, for equal exposures in all looks and a grid of one point: its prior is
    made so narrow that the Bayes factor is a likelihood ratio."""
    n_c, n_k, null, ratio = (question[key] for key in ("n_c", "n_k", "null", "ratio"))
    theta, theta_0 = (n_c * rho / (n_c * rho + n_k) for rho in (ratio, null))
    narrow = 1e8
    test = BernoulliTest(theta_0, prior=(narrow * theta, narrow * (1 - theta)))
    return {"log_e": float(test.fit(question["events"]).log_e_values_[-1])}


def squared_error(arm, deviations):
    """Of the mean of an arm's ln(microseconds), and the mean."""
    counts = np.array(arm["firsts"], dtype=float)
    sums = np.array(arm["log_sums"], dtype=float) / 1000
    n, mean = counts.sum(), sums.sum() / counts.sum()
    step = math.log(2) / 4
    places = np.repeat(np.arange(len(arm["buckets"])) * step, arm["buckets"])
    plain = (places.var(ddof=1) + step**2 / 12) / n

    seen = counts > 0
    parts = int(seen.sum())
    residuals = (sums[seen] - mean * counts[seen]) / n
    z, nu = deviations, parts - 1
    # Abramowitz and Stegun 26.7.5.
    few = (
        z
        + (z**3 + z) / (4 * nu)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
    )
    clustered = (residuals**2).sum() * parts / (parts - 1) * (few / z) ** 2
    return max(plain, clustered), mean, int(n)


def gbstats_half(n_k, mean_k, variance_k, n_c, mean_c, variance_c, alpha, expected):
    """gbstats has the two-sided sequence only: at 2α its ρ is ours, and its half-width differs from
    the one-sided one of the same paper (equation 134) in the logarithm alone, ln(x) for ln(1 + x)."""
    statistic = lambda n, mean, variance: SampleMeanStatistic(
        n=n, sum=n * mean, sum_squares=variance * (n - 1) + n * mean**2
    )
    config = SequentialConfig(
        alpha=2 * alpha, difference_type="absolute", sequential_tuning_parameter=expected
    )
    test = SequentialTwoSidedTTest(
        statistic(n_k, mean_k, variance_k), statistic(n_c, mean_c, variance_c), config
    )
    low, high = test.confidence_interval
    n = n_c + n_k
    x = math.sqrt(n * test.rho**2 + 1) / (2 * alpha)
    two_sided = (high - low) / 2
    one_sided = two_sided * math.sqrt(math.log1p(x) / math.log(x))
    # The exact boundary of the one-sided mixture, of which the paper's is the closed-form bound.
    scale = math.sqrt(n * test.variance) / n
    exact = float(normal_mixture(n, alpha, 1 / test.rho**2, one_sided=True)) * scale
    same = float(normal_mixture(n, 2 * alpha, 1 / test.rho**2)) * scale
    return {
        "difference": test.point_estimate,
        "two_sided": two_sided,
        "ville_two_sided": same,
        "half": one_sided,
        "ville_exact": exact,
    }


def half_width(question):
    return gbstats_half(*(question[key] for key in (
        "n_k", "mean_k", "variance_k", "n_c", "mean_c", "variance_c", "alpha", "expected"
    )))


def interval(question):
    alpha, expected = question["alpha"], question["expected"]
    n = sum(sum(question[arm]["firsts"]) for arm in ("canary", "control"))
    log = -2 * math.log(2 * alpha)
    rho_2 = (log + math.log1p(log)) / expected
    grown = n * rho_2 + 1
    deviations = math.sqrt(2 * grown / (n * rho_2) * math.log1p(math.sqrt(grown) / (2 * alpha)))
    (error_c, mean_c, n_c), (error_k, mean_k, n_k) = (
        squared_error(question[arm], deviations) for arm in ("canary", "control")
    )
    return gbstats_half(
        n_k, mean_k, error_k * n_k, n_c, mean_c, error_c * n_c, alpha, expected
    )


KINDS = {
    "e_process": e_process,
    "bernoulli": bernoulli,
    "half_width": half_width,
    "interval": interval,
}

json.dump([KINDS[question["kind"]](question) for question in json.load(sys.stdin)], sys.stdout)
