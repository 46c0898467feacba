"""The benchmark: this package, its NumPy twin and other libraries on the same work.

``twolayer bench`` runs it; `run.benchmark` is the same from Python.
"""
