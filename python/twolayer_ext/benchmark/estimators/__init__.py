"""The estimators beside scikit-learn's: scores, and times to fit and to predict.

``twolayer bench --estimators`` runs it; `contest.contest` is one data set from Python.
"""
