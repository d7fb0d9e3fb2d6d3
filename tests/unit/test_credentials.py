"""Where the keys are looked for, in which order, and that they never show."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendblue_async._credentials import Credentials, Secret, find_credentials
from sendblue_async.exceptions import ConfigurationError

VARIABLES = {
    "api_key": ("SENDBLUE_API_API_KEY", "SENDBLUE_API_KEY"),
    "api_secret": ("SENDBLUE_API_API_SECRET", "SENDBLUE_API_SECRET"),
}
ENTRIES = {"api_key": "apiKey", "api_secret": "apiSecret"}
HIDDEN = "hush-5f3a9c"
each_key = pytest.mark.parametrize("name", VARIABLES)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home directory, and none of the variables."""
    for name in (*VARIABLES["api_key"], *VARIABLES["api_secret"]):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def store(home: Path, content: Any) -> Path:
    """Write the credentials file; anything but bytes as JSON."""
    file = home / ".sendblue" / "credentials.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that hangs on it, suppressed or not."""
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        yield from chain(error.__context__)


def shown(error: BaseException) -> str:
    """All that an error report could show: texts, fields, and the locals of our frames."""
    words = []
    for link in chain(error):
        words += [str(link), repr(link), repr(link.args), repr(vars(link))]
        words += [repr(getattr(link, name, None)) for name in ("doc", "object")]
        frames = traceback.TracebackException.from_exception(link, capture_locals=True).stack
        words += [
            f"{name} = {value}"
            for frame in frames
            if frame.filename != __file__
            for name, value in (frame.locals or {}).items()
        ]
    return "\n".join(words)


@each_key
def test_the_places_are_looked_in_by_order(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The argument, then the two variables, then the file: the first that has the key wins."""
    other = next(key for key in VARIABLES if key != name)

    def found(argument: str | None = None) -> str:
        arguments: dict[str, str | None] = {name: argument, other: "other"}
        credentials = find_credentials(**arguments)
        assert getattr(credentials, other) == "other"
        return str(getattr(credentials, name))

    store(home, {ENTRIES[name]: "from-file", "email": "agent@example.com", "more": [1]})
    assert found() == "from-file"
    monkeypatch.setenv(VARIABLES[name][1], "from-second")
    assert found() == "from-second"
    monkeypatch.setenv(VARIABLES[name][0], "from-first")
    assert found() == "from-first"
    assert found("from-argument") == "from-argument"
    monkeypatch.setenv(VARIABLES[name][0], "")
    assert found() == "from-second"
    monkeypatch.setenv(VARIABLES[name][1], "")
    assert found() == "from-file"


def test_the_two_keys_may_come_from_two_places(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key is looked for by itself."""
    store(home, {"apiKey": "unused", "apiSecret": "s"})
    monkeypatch.setenv("SENDBLUE_API_KEY", "k")
    assert find_credentials(None, None) == ("k", "s")


@each_key
@pytest.mark.parametrize("content", [None, {}, {"apiKey": "", "apiSecret": ""}, {"api_key": "x"}])
def test_a_missing_key_names_every_place(name: str, content: Any, home: Path) -> None:
    """If a key is nowhere, the error names the argument, both variables, the file and its entry."""
    if content is not None:
        store(home, content)
    arguments = dict.fromkeys(VARIABLES, "present") | {name: None}
    with pytest.raises(ConfigurationError) as caught:
        find_credentials(**arguments)
    message = str(caught.value)
    for place in (name, "argument", *VARIABLES[name], "~/.sendblue/credentials.json",
                  ENTRIES[name]):  # fmt: skip
        assert place in message
    assert "present" not in message
    assert caught.value.outcome == "not_sent"


@each_key
def test_an_empty_argument_is_not_filled_from_elsewhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty key that was given is refused, not replaced by another account's."""
    monkeypatch.setenv(VARIABLES[name][0], "another-account")
    with pytest.raises(ConfigurationError, match=name):
        find_credentials(**(dict.fromkeys(VARIABLES, "present") | {name: ""}))


MALFORMED = {
    "truncated": b'{"apiKey": "%b", "apiSecret": "%b' % (HIDDEN.encode(), HIDDEN.encode()),
    "no JSON": b"apiKey = %b" % HIDDEN.encode(),
    "not UTF-8": b'{"apiKey": "%b\xff"}' % HIDDEN.encode(),
    "a list": json.dumps([HIDDEN]).encode(),
    "a string": json.dumps(HIDDEN).encode(),
    "a list of objects": json.dumps([{"apiKey": HIDDEN}]).encode(),
    "deep": b'{"apiKey": "%b", "x": ' % HIDDEN.encode() + b"[" * 200_000,
    "empty": b"",
    "null": b"null",
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_refused_without_its_content(content: bytes, home: Path) -> None:
    """A file that cannot be read is named, and nothing of what is in it can be seen anywhere."""
    store(home, content)
    with pytest.raises(ConfigurationError, match=r"~/\.sendblue/credentials\.json") as caught:
        find_credentials(None, None)
    assert HIDDEN not in shown(caught.value)
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_is_a_directory_is_refused(home: Path) -> None:
    """What stands in the file's place and cannot be read is named."""
    (home / ".sendblue" / "credentials.json").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        find_credentials(None, None)


def test_the_file_is_not_read_when_it_is_not_needed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A malformed file harms nobody whose keys stand elsewhere."""
    store(home, MALFORMED["truncated"])
    monkeypatch.setenv("SENDBLUE_API_API_KEY", "k")
    assert find_credentials(None, "s") == ("k", "s")


def test_a_file_with_a_byte_order_mark_is_read(home: Path) -> None:
    """An editor's byte order mark in front of the JSON is no obstacle."""
    store(home, b"\xef\xbb\xbf" + json.dumps({"apiKey": "k", "apiSecret": "s"}).encode())
    assert find_credentials(None, None) == ("k", "s")


UNSENDABLE = [
    f"{HIDDEN}\n", f"\r\n{HIDDEN}", f"{HIDDEN}\r\nx-evil: 1", f" {HIDDEN}", f"{HIDDEN} ",
    f"{HIDDEN}\t", f"{HIDDEN}é", f"{HIDDEN}\u2028", f"{HIDDEN}\x00", f"{HIDDEN}\x7f",
    f"{HIDDEN}\ud800", f"“{HIDDEN}”", f"{HIDDEN}\x1b[0m", "\u200b" + HIDDEN,
]  # fmt: skip


# No environment can hold a NUL or a lone surrogate.
PLACED = [
    (place, value)
    for place in ("argument", "environment", "file")
    for value in UNSENDABLE
    if place != "environment" or not {"\x00", "\ud800"} & {*value}
]


@each_key
@pytest.mark.parametrize(("place", "value"), PLACED, ids=ascii)
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(
    name: str, place: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key with a line break, a blank around it or a non-ASCII character is named, not shown."""
    arguments: dict[str, str | None] = dict.fromkeys(VARIABLES, "present") | {name: None}
    if place == "argument":
        arguments[name] = value
    elif place == "file":
        store(home, {ENTRIES[name]: value})
    else:
        monkeypatch.setenv(VARIABLES[name][0], value)
    with pytest.raises(ConfigurationError, match=rf"\b{name}\b.* ASCII") as caught:
        find_credentials(**arguments)
    for link in chain(caught.value):
        assert HIDDEN not in f"{link} {link!r} {vars(link)}"


@each_key
@pytest.mark.parametrize("value", [5, True, ["k"], {"k": 1}, 1.5])
def test_a_stored_key_that_is_no_string_is_refused(name: str, value: Any, home: Path) -> None:
    """An entry of the file that is no string is refused like any key that cannot be sent."""
    store(home, {ENTRIES[name]: value})
    with pytest.raises(ConfigurationError, match=name):
        find_credentials(**(dict.fromkeys(VARIABLES, "present") | {name: None}))


@pytest.mark.parametrize("place", ["argument", "environment", "file"])
def test_a_traceback_with_locals_does_not_show_the_key_that_was_found(
    place: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one key is missing, an error report that prints local variables hides the other."""
    if place == "environment":
        monkeypatch.setenv("SENDBLUE_API_API_KEY", HIDDEN)
    elif place == "file":
        store(home, {"apiKey": HIDDEN})
    with pytest.raises(ConfigurationError, match="No api_secret") as caught:
        find_credentials(HIDDEN if place == "argument" else None, None)
    assert HIDDEN not in shown(caught.value)


def test_a_secret_is_a_string_that_does_not_show_itself() -> None:
    """A secret's repr is masked, also inside others; it is copied as it is, and not pickled."""
    secret = Secret(HIDDEN)
    credentials = Credentials(secret, secret)
    for each in (copy.copy(secret), copy.deepcopy(secret)):
        assert each is secret
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps([credentials], protocol)
    for holder in (secret, [secret], {"key": secret}, credentials, credentials.headers):
        assert HIDDEN not in repr(holder)
        assert "***" in repr(holder)


def test_found_keys_are_secrets_in_their_headers() -> None:
    """The two keys go into the two documented headers, and neither shows in a repr."""
    credentials = find_credentials("the-key", "the-secret")
    assert credentials.headers == {"sb-api-key-id": "the-key", "sb-api-secret-key": "the-secret"}
    assert "the-key" not in repr(credentials)
    assert "the-secret" not in repr(credentials)


def test_both_keys_are_redacted_from_a_text() -> None:
    """Every occurrence of either key in a text is masked, and the rest is untouched."""
    credentials = find_credentials("the-key", "the-secret")
    text = "a the-key b the-secret c the-key"
    assert credentials.redact(text) == "a *** b *** c ***"
    assert credentials.redact("nothing here") == "nothing here"


@pytest.mark.parametrize(("key", "secret"), [("abcd", "abcdefgh"), ("abcdefgh", "abcd")])
def test_a_key_that_is_part_of_the_other_leaves_no_rest(key: str, secret: str) -> None:
    """If one key begins like the other, the longer one is masked whole."""
    assert "efgh" not in find_credentials(key, secret).redact("got abcdefgh and abcd")
