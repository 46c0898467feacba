"""Seconds of training until a validation accuracy is reached, this package against PyTorch.

``twolayer bench --time-to-accuracy`` runs it; `race.race` is the same from Python.
"""
