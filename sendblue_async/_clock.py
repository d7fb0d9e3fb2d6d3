"""The clock of deadlines and waits, out of reach of whatever fakes the time."""

from __future__ import annotations

from importlib.util import find_spec, module_from_spec


def _load_time() -> object:
    """Load the module ``time`` once more, as the interpreter brings it.

    freezegun replaces the functions of the module that everybody imports, and every name in
    other modules that leads to one of them.
    """
    spec = find_spec("time")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


monotonic = _load_time().monotonic  # type: ignore[attr-defined]
"""Monotonic seconds, as from :func:`time.monotonic`."""
