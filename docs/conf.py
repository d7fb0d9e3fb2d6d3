"""How Sphinx builds these pages: `nox -s docs`, without a network."""

from importlib.metadata import version as installed

import aiohttp

project = "sendblue-async"
author = "sendblue-async contributors"
copyright = "2026, sendblue-async contributors"
version = release = installed("sendblue-async")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
# Links to a heading of another page.
myst_heading_anchors = 3
nitpicky = True
nitpick_ignore = [
    # Sphinx takes the empty list of arguments in Callable[[], float] for a part of the name.
    ("py:class", "collections.abc.Callable[[]"),
    # Sphinx takes the choices of a Literal apart.
    ("py:obj", "typing.Literal['both'"),
    # Before Python 3.12 Pydantic reads no other TypedDict than this one.
    ("py:class", "typing_extensions.TypedDict"),
    # What a source gives and its results hold again: stands for a type, and is none.
    ("py:class", "sendblue_async.client._Row"),
    ("py:class", "sendblue_async.batch._results.Row"),
    ("py:obj", "sendblue_async.batch._results.Row"),
    # Stand for several types, or for the arguments of a search, and are none.
    ("py:class", "sendblue_async.batch._rows.CallersSource"),
    ("py:class", "sendblue_async.models._lists.ContactQuery"),
    # Two values side by side, which PlannedChange describes.
    ("py:class", "sendblue_async.batch._importing._changes.FieldChange"),
    # A job is made by import_job alone, which gives it its workers.
    ("py:class", "sendblue_async.batch._sending._worker_pool.WorkerPool"),
]

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False

# The names these pages link to, written down so that a build asks nobody for them.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.txt"),
    "aiohttp": ("https://docs.aiohttp.org/en/stable", "inventories/aiohttp.txt"),
}

# aiohttp documents its classes under its own name, not under the modules that define them.
for documented in (aiohttp.ClientSession, aiohttp.TraceConfig):
    documented.__module__ = "aiohttp"

html_theme = "furo"
html_title = f"sendblue-async {release}"
