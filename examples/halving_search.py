"""A grid of 24 settings, and the best of them by successive halving.

scikit-learn's HalvingGridSearchCV gives every setting few epochs, keeps the best third and gives
those three times as many, and so on: `max_iter` is the resource. The folds of a round are fitted in
two processes, in each of which this package takes its share of the cores. Needs the extra
`sklearn`, and seconds:

    python examples/halving_search.py
"""

from __future__ import annotations

import warnings

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, train_test_split

from twolayer_ext import MLPClassifier

GRID = {
    "hidden_layer_sizes": [(16,), (64,), (64, 32)],
    "learning_rate_init": [1e-4, 1e-3, 1e-2, 1e-1],
    "alpha": [1e-4, 1.0],
}


def main(n_jobs: int = 2) -> HalvingGridSearchCV:
    """Print each round and the best setting's accuracy; return the search."""
    x, y = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(x / 16, y, random_state=0)
    search = HalvingGridSearchCV(
        MLPClassifier(random_state=0),
        GRID,
        resource="max_iter",
        min_resources=3,
        max_resources=27,
        factor=3,
        cv=3,
        random_state=0,
        n_jobs=n_jobs,
    )
    with warnings.catch_warnings():  # few epochs are what the first rounds are about
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(train_x, train_y)
    results = search.cv_results_
    for number in range(search.n_iterations_):
        scores = results["mean_test_score"][results["iter"] == number]
        print(
            f"round {number}: {len(scores):2d} settings, {search.n_resources_[number]:2d} epochs, "
            f"accuracy of the folds {scores.min():.3f} to {scores.max():.3f}"
        )
    print(f"best: {search.best_params_}")
    print(f"on {len(test_y)} digits kept aside: {search.score(test_x, test_y):.3f}")
    return search


if __name__ == "__main__":
    main()
