"""A frame with numbers and names in, rents out: scikit-learn's pipeline around MLPRegressor.

Each kind of column is prepared in its own way, and the whole is one estimator: it is
cross-validated, saved and asked like one. Needs the extra `sklearn` and pandas, and seconds:

    python examples/pipeline.py
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from twolayer_ext import MLPRegressor

NUMBERS, NAMES = ["area", "year", "minutes"], ["district", "heating"]


def make_flats(count: int = 2000, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return made-up flats and their rents; one in twenty years is unknown."""
    rng = np.random.default_rng(seed)
    flats = pd.DataFrame(
        {
            "area": rng.gamma(9, 8, count).round(1),
            "year": rng.integers(1880, 2025, count).astype(float),
            "minutes": rng.exponential(12, count).round(),  # on foot to the train
            "district": rng.choice(["centre", "hill", "river", "works"], count),
            "heating": rng.choice(["gas", "district", "stove"], count, p=[0.5, 0.4, 0.1]),
        }
    )
    metre = flats["district"].map({"centre": 17.0, "hill": 15.0, "river": 12.0, "works": 9.0})
    metre += 4 * (flats["year"] > 1995) + 2 * (flats["year"] < 1915) - 3 * (flats["area"] > 90)
    far = 1 - 0.25 * np.tanh(flats["minutes"] / 15) * (flats["district"] != "hill")
    rents = flats["area"] * metre * far - 60 * (flats["heating"] == "stove")
    flats.loc[rng.random(count) < 0.05, "year"] = np.nan
    return flats, rents + rng.normal(0, 30, count)


def with_columns_prepared(regressor: object) -> TransformedTargetRegressor:
    """Return a pipeline that takes such frames and gives rents in euros."""
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    columns = ColumnTransformer(
        [
            ("numbers", numbers, NUMBERS),
            ("names", OneHotEncoder(handle_unknown="ignore"), NAMES),
        ]
    )
    pipeline = Pipeline([("columns", columns), ("regressor", regressor)])
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def main() -> dict[str, float]:
    """Print R² of both regressors and two predictions; return the R²."""
    flats, rents = make_flats()
    print(flats.head(3).to_string(), "\n")
    models = {
        "Ridge": with_columns_prepared(Ridge()),
        "MLPRegressor": with_columns_prepared(
            MLPRegressor(
                hidden_layer_sizes=(64,), alpha=0.1, learning_rate_init=0.01, random_state=0
            )
        ),
    }
    scores = {}
    for name, model in models.items():
        folds = cross_val_score(model, flats, rents, cv=5)
        scores[name] = float(folds.mean())
        print(f"{name:<13} R² of five folds: {folds.mean():.3f} ± {folds.std(ddof=1):.3f}")
    wanted = pd.DataFrame(
        {
            "area": [60.0, 60.0],
            "year": [2015.0, np.nan],
            "minutes": [3.0, 30.0],
            "district": ["river", "harbour"],  # no flat of the harbour was ever seen
            "heating": ["district", "gas"],
        }
    )
    asked = models["MLPRegressor"].fit(flats, rents).predict(wanted)
    print("\n60 m² by the river, new: {:.0f} €; at the harbour, far: {:.0f} €".format(*asked))
    return scores


if __name__ == "__main__":
    main()
