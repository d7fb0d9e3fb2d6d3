"""The rules that keep the package readable: who may import whom, how long, under which names."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sendblue_async"

# From the bottom to the top. A module imports from lower layers only, never from its own;
# a subpackage counts as one module, and is free inside as long as no cycle arises. Models stand
# above the converter, because their from_dict and to_dict use it.
LAYERS = (
    {"_deprecation"},
    {
        "exceptions",
        "_version",
        "_arguments",
        "_clock",
        "_dates",
        "_files",
        "_redaction",
        "_request_id",
        "_retry_after",
        "_threads",
    },
    {
        "_answer",
        "_checks",
        "_credentials",
        "_event_loop",
        "_phone_numbers",
        "_portal",
        "_refusal",
        "_spellings",
        "_retry_rules",
    },
    {"_access_tokens", "_caller", "_converter", "_rate_limits", "_retry_policy"},
    {"models", "_options", "_resolver", "_retry"},
    {"_pool"},
    {"_pages", "_settings", "_wire"},
    {"_call_error", "_connect_reasons", "_events"},
    {"_aiohttp_errors", "_settling"},
    {"_exchange"},
    {"_transport"},
    {"_api", "batch"},
    {"_endpoints"},
    {"_import_bridge", "_source_bridge", "client"},
    {"sync"},
    {"cli"},
    {"__init__", "__main__"},
)

# The rooms of each subpackage, and the rooms beside it that each one may import.
ROOMS = {
    "batch": {
        "_account": set[str](),
        "_exporting": {"_account", "_importing", "_mapping", "_sources"},
        "_results": set[str](),
        "_rows": set[str](),
        "_cells": {"_rows"},
        "_contacts": {"_cells", "_rows"},
        "_sources": {"_cells", "_rows"},
        "_mapping": {"_sources"},
        "_sending": {"_contacts", "_results", "_rows"},
        "_importing": {"_account", "_mapping", "_results", "_rows", "_sending", "_sources"},
        "__init__": {"_exporting", "_importing", "_results", "_sending", "_sources"},
    },
    "models": {
        "_fields": set[str](),
        "_responses": {"_fields"},
        "_contacts": {"_fields", "_responses"},
        "_lists": {"_contacts", "_fields", "_responses"},
        "_bulk": {"_contacts", "_fields", "_responses"},
        "_verified": {"_fields", "_responses"},
        "__init__": {"_bulk", "_contacts", "_fields", "_lists", "_responses", "_verified"},
    },
    "_rate_limits": {
        "base": set[str](),
        "fixed": {"base"},
        "adaptive": {"fixed"},
        "nested": {"base"},
        "redis": {"base", "fixed"},
        "__init__": {"adaptive", "base", "fixed", "nested", "redis"},
    },
    "_endpoints": {
        "contacts": set[str](),
        "lists": {"contacts"},
        "bulk": {"contacts", "lists"},
        "verified": {"bulk"},
        "__init__": {"verified"},
    },
    "sandbox": {
        "_contact": set[str](),
        "_faults": set[str](),
        "_received": set[str](),
        "_tokens": set[str](),
        "_schedule": {"_faults"},
        "_answer": {"_faults", "_schedule"},
        "_bodies": {"_contact"},
        "_query": {"_contact"},
        "_store": {"_contact", "_query"},
        "_replica": {"_contact", "_query", "_store"},
        "_delivery": {"_answer"},
        "_handlers": {"_answer", "_bodies", "_contact", "_query", "_replica", "_store"},
        "_server": {
            "_answer",
            "_contact",
            "_delivery",
            "_faults",
            "_handlers",
            "_received",
            "_replica",
            "_schedule",
            "_store",
            "_tokens",
        },
        "__init__": {"_faults", "_received", "_server"},
    },
    "batch._sources": {
        "_doubt": set[str](),
        "_extra": set[str](),
        "_file": set[str](),
        "_header": set[str](),
        "_names": set[str](),
        "_row": {"_garbled"},
        "_temporary": set[str](),
        "_row_file": {"_row"},
        "_gzip": {"_file", "_temporary"},
        "_source": {"_file", "_gzip", "_row_file", "_temporary"},
        "_archive": {"_file"},
        "_format": {"_doubt", "_file", "_row"},
        "_western": set[str](),
        "_garbled": set[str](),
        "_code_pages": {"_file"},
        "_encoding": {"_archive", "_code_pages", "_file", "_format", "_garbled", "_western"},
        "_wrapping": set[str](),
        "_dialect": {"_wrapping"},
        "_csv": {"_dialect", "_encoding", "_file", "_format", "_header", "_row", "_wrapping"},
        "_json_lines": {"_csv", "_encoding", "_file", "_format", "_row"},
        "_vcard_lines": {"_code_pages", "_encoding", "_file", "_format"},
        "_vcard_property": {"_encoding", "_garbled", "_row", "_vcard_lines"},
        "_vcard_card": {"_row", "_vcard_property"},
        "_vcard_cells": {"_garbled", "_names", "_row", "_vcard_card", "_vcard_property"},
        "_vcard": {
            "_encoding",
            "_file",
            "_format",
            "_row",
            "_vcard_card",
            "_vcard_cells",
            "_vcard_lines",
            "_vcard_property",
        },
        "_spreadsheet": {"_archive", "_csv", "_extra", "_file", "_format", "_header", "_row"},
        "_ods": {"_archive", "_file", "_format", "_row", "_spreadsheet"},
        "_xls": {"_archive", "_extra", "_file", "_format", "_spreadsheet"},
        "_xlsx": {"_archive", "_file", "_format", "_row", "_spreadsheet"},
        "_registry": {"_csv", "_file", "_format", "_json_lines", "_ods", "_vcard", "_xls", "_xlsx"},
        "_table": {"_file", "_format", "_header", "_registry", "_row", "_row_file", "_source"},
        "__init__": set[str](),
    },
    "batch._exporting": {
        "_rows": set[str](),
        "_formats": {"_rows"},
        "_export": {"_formats"},
        "__init__": set[str](),
    },
    "batch._mapping": {
        "_countries": set[str](),
        "_exact": set[str](),
        "_vocabulary": set[str](),
        "_columns": {"_exact", "_vocabulary"},
        "_number_problems": set[str](),
        "_numbering_plans": set[str](),
        "_phone_numbers": {"_number_problems", "_numbering_plans", "_vocabulary"},
        "_number_cells": {"_countries", "_phone_numbers"},
        "_tags": set[str](),
        "_missing": {"_columns"},
        "_contact_reader": {
            "_columns",
            "_exact",
            "_missing",
            "_number_cells",
            "_phone_numbers",
            "_tags",
            "_vocabulary",
        },
        "__init__": set[str](),
    },
    "batch._sending": {
        "_circuit_breaker": set[str](),
        "_keyed_lock": set[str](),
        "_options": set[str](),
        "_rate_gate": set[str](),
        "_worker_pool": {"_circuit_breaker", "_keyed_lock", "_options", "_rate_gate"},
        "_bulk": {"_circuit_breaker", "_worker_pool"},
        "_company": {"_bulk", "_circuit_breaker", "_worker_pool"},
        "__init__": set[str](),
    },
    "batch._importing": {
        "_changes": set[str](),
        "_in_thread": set[str](),
        "_work_batcher": set[str](),
        "_journal_errors": set[str](),
        "_journal_schema": set[str](),
        "_paths": set[str](),
        "_preview": set[str](),
        "_reasons": set[str](),
        "_rejected": {"_journal"},
        "_report": set[str](),
        "_spool": set[str](),
        "_journal_header": {"_journal_schema"},
        "_progress": {"_report"},
        "_journal_file": {"_journal_errors", "_journal_header", "_journal_schema"},
        "_earlier_run": {"_journal_errors"},
        "_journal": {"_earlier_run", "_journal_errors", "_journal_file", "_journal_schema"},
        "_duplicates": {"_journal", "_journal_schema"},
        "_results_file": {"_journal"},
        "_ending": {"_journal", "_journal_schema", "_rejected", "_report", "_results_file"},
        "_options": {"_duplicates", "_rejected"},
        "_queue": {
            "_changes",
            "_duplicates",
            "_in_thread",
            "_work_batcher",
            "_journal",
            "_journal_schema",
            "_reasons",
        },
        "_check": {
            "_changes",
            "_duplicates",
            "_journal",
            "_options",
            "_preview",
            "_rejected",
            "_report",
        },
        "_job_source": {"_in_thread", "_options", "_preview"},
        "_job": {
            "_job_source",
            "_changes",
            "_check",
            "_duplicates",
            "_ending",
            "_in_thread",
            "_journal",
            "_options",
            "_paths",
            "_preview",
            "_progress",
            "_queue",
            "_report",
            "_spool",
        },
        "__init__": set[str](),
    },
    "sandbox._handlers": {
        "_context": set[str](),
        "bulk": {"_context"},
        "contacts": {"_context"},
        "lists": {"_context"},
        "verified": {"_context"},
        "__init__": {"_context", "bulk", "contacts", "lists", "verified"},
    },
    "cli": {
        "_import_arguments": {"_output"},
        "_interruption": set[str](),
        "_streams": set[str](),
        "_terms": set[str](),
        "_output": {"_streams", "_terms"},
        "_errors": {"_output", "_streams", "_terms"},
        "_help": {"_errors", "_output", "_streams"},
        "_waiting": {"_output"},
        "_app": {"_errors", "_help", "_output", "_waiting"},
        "_listing": {"_output"},
        "_plan": {"_output"},
        "_progress_line": {"_output"},
        "_progress": {"_output", "_progress_line"},
        "_prompt": {"_output"},
        "_mapping": {"_output", "_prompt", "_terms"},
        "_report_file": {"_output"},
        "_contacts": {"_app", "_help", "_listing", "_output", "_prompt"},
        "_import_report": {"_import_arguments", "_output", "_plan", "_report_file"},
        "_import": {
            "_app",
            "_errors",
            "_help",
            "_import_arguments",
            "_import_report",
            "_interruption",
            "_mapping",
            "_output",
            "_progress",
            "_report_file",
        },
        "_export": {"_app", "_help", "_output"},
        "_sandbox": {"_app", "_help", "_output"},
        "__init__": {"_app", "_contacts", "_export", "_import", "_sandbox", "_streams"},
    },
}

# Beside the layers: imports nothing from the rest, so that no bug can cancel itself out in a test.
APART = {"sandbox"}
MAY_IMPORT_APART = {"cli"}

# A library, and the only modules that may import it.
IMPORTED_ONLY_BY = {
    "aiohttp": {
        "_aiohttp_errors",
        "_connect_reasons",
        "_exchange",
        "_pool",
        "_resolver",
        "sandbox",
    },
    "multidict": {"_exchange", "sandbox"},
    "yarl": {"_connect_reasons", "_exchange", "sandbox"},
    "cattrs": {"_converter"},
    "phonenumbers": {"batch"},
    "redis": {"_rate_limits"},
    "sqlite3": {"batch", "sandbox"},
    "olefile": {"batch"},
    "openpyxl": {"batch"},
    "python_calamine": {"batch"},
    "rich": {"cli"},
    "typer": {"cli"},
}

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "constants", "const", "common"}
LINES = 400
REASON = "Over 400 lines because"


def name_of(path: Path) -> str:
    """The dotted name inside the package: `client`, `cli.create`, `__init__` for the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
SUBPACKAGES = {name_of(path) for path in PACKAGE.rglob("*/__init__.py")} - {"__init__"}
each_module = pytest.mark.parametrize("module", MODULES)


def unit(module: str) -> str:
    """What the tables above call this module: itself, or the subpackage it is in."""
    return module.partition(".")[0]


def layer(module: str) -> int:
    """How far up the module stands; at the top, as long as it has no place."""
    places = (height for height, names in enumerate(LAYERS) if unit(module) in names)
    return next(places, len(LAYERS))


def tree(module: str) -> ast.Module:
    """The module as Python reads it."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Every absolute dotted name the module imports, also inside functions and TYPE_CHECKING."""
    folder = MODULES[module].relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            source = ".".join((*above, *filter(None, [node.module])))
            yield from (f"{source}.{alias.name}" for alias in node.names)


def modules_imported(module: str) -> set[str]:
    """The modules of this package that the module imports."""
    found = set()
    for name in imports(module):
        package, _, inner = name.partition(".")
        if package == PACKAGE.name:
            # The last part may be something defined in a module rather than a module.
            candidates = (inner, inner.rpartition(".")[0], "__init__")
            found.add(next(candidate for candidate in candidates if candidate in MODULES))
    return found


@each_module
def test_every_module_has_its_place(module: str) -> None:
    """A new module is put into a layer, deliberately, before anything can use it."""
    placed = set().union(*LAYERS) | APART
    assert unit(module) in placed, f"Add {unit(module)!r} to LAYERS in {Path(__file__).name}."


@each_module
def test_imports_point_down(module: str) -> None:
    """A module uses what is below it; the sandbox uses nothing, and few may use the sandbox."""
    for other in modules_imported(module):
        if unit(other) == unit(module):
            continue
        if unit(other) in APART:
            assert unit(module) in MAY_IMPORT_APART, f"{module} must not import {other}."
        else:
            assert unit(module) not in APART, f"{module} stands apart but imports {other}."
            assert layer(other) < layer(module), f"{module} must not import {other}, above it."


def rooms_around(module: str) -> Iterator[tuple[str, str]]:
    """Every subpackage that the module is in, and the room of it that the module is in there."""
    for package in SUBPACKAGES:
        if f"{module}.".startswith(f"{package}."):
            yield package, module[len(package) + 1 :].partition(".")[0] or "__init__"


@each_module
def test_rooms_are_entered_by_their_doors(module: str) -> None:
    """Inside a subpackage, a module uses its own room and those that it may use."""
    for other in modules_imported(module):
        rooms = dict(rooms_around(other))
        for package, own in rooms_around(module):
            if rooms.get(package, own) != own:
                allowed = ROOMS[package][own]
                assert rooms[package] in allowed, f"{module} must not import {other}."


@pytest.mark.parametrize("package", sorted(SUBPACKAGES | ROOMS.keys()))
def test_every_subpackage_has_its_rooms(package: str) -> None:
    """The table has every subpackage, each with the rooms that are there and no others."""
    there = {own for module in MODULES for around, own in rooms_around(module) if around == package}
    rooms = ROOMS.get(package, {})
    assert rooms.keys() == there, f"Correct ROOMS in {Path(__file__).name}."
    assert set().union(*rooms.values()) <= there


def test_the_tables_name_what_there_is() -> None:
    """Each module is in one layer, and no table keeps a name that is gone."""
    placed = [name for names in (*LAYERS, APART) for name in names]
    assert sorted(placed) == sorted({unit(module) for module in MODULES})
    assert set().union(MAY_IMPORT_APART, *IMPORTED_ONLY_BY.values()) <= {*placed}


@pytest.mark.parametrize("module", [module for module in MODULES if unit(module) == "cli"])
def test_the_command_line_uses_nothing_private(module: str) -> None:
    """It enters other subpackages by their front doors, and uses what every program can use."""
    for other in modules_imported(module):
        _, _, inner = other.partition(".")
        assert unit(other) == "cli" or not inner.startswith("_"), f"{module} imports {other}."
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            written = ast.unparse(node)
            own = f"self.{node.attr}", "os._exit"
            assert node.attr.endswith("__") or written in own, f"{module} uses {written}."


def test_no_modules_import_each_other() -> None:
    """There is an order in which each module comes after all it imports, for type checkers too."""
    graph = {module: modules_imported(module) for module in MODULES}
    graphlib.TopologicalSorter(graph).prepare()


@each_module
def test_libraries_stay_where_they_are_wrapped(module: str) -> None:
    """One module speaks aiohttp, one speaks cattrs; the rest would not notice a replacement."""
    for name in imports(module):
        allowed = IMPORTED_ONLY_BY.get(name.partition(".")[0])
        assert allowed is None or unit(module) in allowed, f"{module} must not import {name}."


@each_module
def test_modules_are_short_or_say_why_not(module: str) -> None:
    """A long module is an exception that its docstring accounts for."""
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    accounted = REASON in (ast.get_docstring(tree(module)) or "")
    assert lines <= LINES or accounted, f"{module}: {lines} lines; split it, or say {REASON!r} …"


@each_module
def test_module_names_say_what_is_inside(module: str) -> None:
    """No module is a drawer for things without a better place."""
    words = {word for part in module.split(".") for word in part.split("_")}
    assert not words & NAMES_THAT_SAY_NOTHING


def is_public(name: str) -> bool:
    """Whether users may rely on the name, of a module or of something in one."""
    return all(
        not part.startswith("_") or part in {"__init__", "__version__"} for part in name.split(".")
    )


def defined_names(module: str) -> Iterator[str]:
    """The names a module binds at its top level: what it defines, and what an `__init__` gathers.

    Type variables and all other imports are tools of the module, not part of it.
    """
    gathers = MODULES[module].name == "__init__.py"
    statements: list[ast.stmt] = list(tree(module).body)
    for node in statements:
        if isinstance(node, ast.If | ast.Try):
            statements += [*node.body, *node.orelse]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and not makes_type_variable(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif gathers and isinstance(node, ast.ImportFrom) and node.level:
            yield from (alias.asname or alias.name for alias in node.names)


def makes_type_variable(value: ast.expr) -> bool:
    """Whether this is a call of TypeVar, ParamSpec or the like."""
    return isinstance(value, ast.Call) and ast.unparse(value.func).endswith(
        ("ParamSpec", "TypeVar", "TypeVarTuple")
    )


def declared_names(module: str) -> list[str]:
    """The value of `__all__`, empty without one."""
    for node in tree(module).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
            ):
                return list(ast.literal_eval(value))
    return []


@pytest.mark.parametrize("module", [module for module in MODULES if is_public(module)])
def test_all_of_a_public_module_is_what_it_defines(module: str) -> None:
    """What users import by name is declared, whole and with nothing else; ruff keeps it sorted."""
    public = {name for name in defined_names(module) if is_public(name)}
    assert sorted(declared_names(module)) == sorted(public)
