"""The version of this package, read by the build, the docs and the User-Agent header."""

__version__ = "0.4.0"
