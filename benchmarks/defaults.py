"""What `train` does with no option but the data, beside scikit-learn's MLPs with none.

    python benchmarks/defaults.py [SPLITS]

On scikit-learn's own small data sets: means over so many splits (20 by default), a fifth held out,
of accuracy or R² in per cent, with the standard error of the mean difference. Needs the extra
`sklearn`.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import twolayer_ext as tl

SETS = {
    "digits": (load_digits, MLPClassifier),
    "iris": (load_iris, MLPClassifier),
    "wine": (load_wine, MLPClassifier),
    "breast cancer": (load_breast_cancer, MLPClassifier),
    "diabetes (R²)": (load_diabetes, MLPRegressor),
}


def main(splits: int) -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| data | twolayer-ext | scikit-learn | scikit-learn, standardised | difference to it |")
    print("| --- | --- | --- | --- | --- |")
    for name, (load, peer) in SETS.items():
        x, y = load(return_X_y=True)
        scores = []
        for seed in range(splits):
            train_x, test_x, train_y, test_y = train_test_split(
                x, y, test_size=0.2, random_state=seed
            )
            network = tl.train(train_x, train_y, seed=seed, progress=False).network
            own = network.evaluate(test_x, test_y)[1]
            plain = peer(random_state=seed).fit(train_x, train_y).score(test_x, test_y)
            scaled = make_pipeline(StandardScaler(), peer(random_state=seed))
            scores.append((own, plain, scaled.fit(train_x, train_y).score(test_x, test_y)))
        percent = 100 * np.array(scores)
        difference = percent[:, 0] - percent[:, 2]
        error = difference.std(ddof=1) / np.sqrt(splits) if splits > 1 else np.nan
        figures = " | ".join(f"{mean:.1f}" for mean in percent.mean(axis=0))
        print(f"| {name} | {figures} | {difference.mean():+.1f} ± {error:.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
