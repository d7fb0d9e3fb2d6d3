"""A tool that knows only the contract finds nothing in the sandbox that departs from it."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sendblue_api import SendblueAPI

from sendblue_async.sandbox import Sandbox

from .conftest import DOUBLES

CONTRACT = Path(__file__).parents[1] / "contract" / "contacts.openapi.yaml"
CONTACTS = "/api/v2/contacts"
VERIFIED = "/v3/verified-contacts"
E164 = r"^\+[1-9][0-9]{6,14}$"
STORED = [f"+1415555010{n}" for n in range(5)]

REFUSALS = {"400": "Error", "401": "WrongKeys", "403": "NoKeys", "404": "Error"}
REFUSALS_V3 = {"400": "ErrorV3", "401": "ErrorV3", "403": "NoKeys", "404": "ErrorV3"}

# All checks and all phases, the same data in every run, and nothing kept between runs.
CONFIG = """
seed = 1
warnings = false
[cache]
enabled = false
[generation]
mode = "all"
deterministic = true
database = "none"
max-examples = 20
[checks]
enabled = true
[auth.openapi]
keyId = {{ api_key = {key} }}
secretKey = {{ api_key = {secret} }}
"""


def operations(contract: Any) -> list[tuple[str, str, Any]]:
    """Path, method and definition of every operation."""
    return [
        (path, method, operation)
        for path, item in contract["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def body(contract: Any, path: str, method: str) -> Any:
    """The properties of a request body that is written down in place."""
    content = contract["paths"][path][method]["requestBody"]["content"]
    return content["application/json"]["schema"]["properties"]


def numbers(contract: Any) -> list[Any]:
    """The schema of every string by which a request or an answer names a contact."""
    schemas, paths = contract["components"]["schemas"], contract["paths"]
    [in_query] = [
        parameter["schema"]
        for parameter in paths[CONTACTS]["get"]["parameters"]
        if parameter["name"] == "phone_number"
    ]
    in_paths = [paths[path + "/{phone_number}"]["parameters"][0] for path in (CONTACTS, VERIFIED)]
    return [
        in_query,
        *[parameter["schema"] for parameter in in_paths],
        schemas["ContactCreate"]["properties"]["number"],
        schemas["Contact"]["properties"]["phone"],
        body(contract, CONTACTS + "/bulk", "post")["contacts"]["items"]["properties"]["phone"],
        body(contract, CONTACTS, "delete")["contact_ids"]["items"],
        body(contract, CONTACTS + "/verify", "post")["number"],
        body(contract, CONTACTS + "/opt-out", "post")["number"],
        body(contract, VERIFIED, "post")["phone_number"],
        schemas["VerifiedContact"]["properties"]["phone_number"],
    ]


def allow_null(properties: dict[str, Any], required: str = "") -> None:
    """Let every property but the required one be null."""
    for name, schema in properties.items():
        if name != required:
            schema["type"] = [schema["type"], "null"]


def precise_contract() -> Any:
    """The contract, with what it says in words or leaves out made plain to a tool."""
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    schemas = contract["components"]["schemas"]
    # "E.164" is said in words only. A sendblue_number stays a plain string: no refusal of one is
    # documented, so the sandbox makes none up. The examples are there to be found.
    for schema in numbers(contract):
        schema |= {"pattern": E164, "examples": STORED}
    # Every request needs the keys and may be malformed, and most look a contact up.
    for path, _, operation in operations(contract):
        for status, response in (REFUSALS_V3 if path.startswith("/v3") else REFUSALS).items():
            answer = {"$ref": f"#/components/responses/{response}"}
            operation["responses"].setdefault(status, answer)
    # That live answers have these twice is said in words only.
    stored = schemas["Contact"]["properties"]
    stored |= {camel: stored[name] for name, camel in DOUBLES.items()}
    # Fields may be sent as null by who asks for exactly that.
    allow_null(schemas["ContactCreate"]["properties"], required="number")
    allow_null(schemas["ContactUpdate"]["properties"])
    entry = body(contract, CONTACTS + "/bulk", "post")["contacts"]["items"]["properties"]
    allow_null(entry, required="phone")
    # What no fixed path takes is about a contact, so a DELETE of "bulk" finds none.
    one_contact = contract["paths"][CONTACTS + "/{phone_number}"]
    for path, item in contract["paths"].items():
        for method, operation in one_contact.items():
            if path.startswith(CONTACTS + "/") and method != "parameters" and method not in item:
                item[method] = {**copy.deepcopy(operation), "operationId": f"{method} {path}"}
    return contract


def run_schemathesis(contract: Any, sandbox: Sandbox, folder: Path) -> tuple[int, str]:
    """Exit status and output of a run against the sandbox."""
    (folder / "contract.json").write_text(json.dumps(contract))
    config = CONFIG.format(key=json.dumps(sandbox.api_key), secret=json.dumps(sandbox.api_secret))
    (folder / "schemathesis.toml").write_text(config)
    # Not measured: it runs none of our code, and takes twice as long when it is.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }
    command = [sys.executable, "-m", "schemathesis.cli", "run", "contract.json", "--no-color"]
    done = subprocess.run(
        [*command, "--url", sandbox.base_url],
        cwd=folder,
        env={**environment, "NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_the_sandbox_keeps_to_the_contract(sandbox: Sandbox, tmp_path: Path) -> None:
    """Schemathesis finds no answer to valid or invalid requests that the contract rules out."""
    with SendblueAPI(
        api_key=sandbox.api_key, api_secret=sandbox.api_secret, base_url=sandbox.base_url
    ) as client:
        client.contacts.bulk.create(contacts=[{"phone": phone} for phone in STORED])
        for phone in STORED:
            client.verified_contacts.create(phone_number=phone)
    contract = precise_contract()

    status, output = run_schemathesis(contract, sandbox, tmp_path)
    assert status == 0, output

    # It would find nothing, too, in operations that it did not reach or that found no contact.
    asked = {
        (request.method.lower(), re.sub(r"/(%2B|\+)\d+$", "/{phone_number}", path))
        for request in sandbox.requests
        for path in [request.path.partition("?")[0]]
    }
    assert {(method, path) for path, method, _ in operations(contract)} <= asked
    done = ("created", "updated", "deleted", "verifications", "opt_outs", "verified_contacts")
    assert all(sandbox.counts[name] for name in done), sandbox.counts
