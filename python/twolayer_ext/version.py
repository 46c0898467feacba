"""The package's version, for whoever stands below the package's own name."""

__version__ = "0.1.0"
