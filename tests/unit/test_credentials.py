"""Where the keys are looked for, in which order, and that they never show."""

from __future__ import annotations

import copy
import json
import os
import pickle
import pprint
import reprlib
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from sendblue_async._credentials import Credentials, find_credentials
from sendblue_async._redaction import Secret
from sendblue_async.exceptions import ConfigurationError, ConfigurationWarning

VARIABLES = {
    "api_key": ("SENDBLUE_API_API_KEY", "SENDBLUE_API_KEY", "SENDBLUE_API_KEY_ID"),
    "api_secret": ("SENDBLUE_API_API_SECRET", "SENDBLUE_API_SECRET", "SENDBLUE_API_SECRET_KEY"),
}
PAIRS = [*zip(*VARIABLES.values(), strict=True)]
ENTRIES = {"api_key": "apiKey", "api_secret": "apiSecret"}
HIDDEN = "hush-5f3a9c"
each_key = pytest.mark.parametrize("name", VARIABLES)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home directory, and none of the variables."""
    for name in sum(PAIRS, ()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def store(home: Path, content: Any) -> Path:
    """Write the credentials file; anything but bytes as JSON."""
    file = home / ".sendblue" / "credentials.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    file.chmod(0o600)
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
    """The argument, then the three variables, then the file: the first that has the key wins."""
    other = next(key for key in VARIABLES if key != name)

    def found(argument: str | None = None) -> str:
        arguments: dict[str, str | None] = {name: argument, other: "other"}
        credentials = find_credentials(**arguments)
        assert getattr(credentials, other) == "other"
        return str(getattr(credentials, name).reveal())

    store(home, {ENTRIES[name]: "from-file", "email": "agent@example.com", "more": [1]})
    assert found() == "from-file"
    monkeypatch.setenv(VARIABLES[name][2], "from-third")
    assert found() == "from-third"
    monkeypatch.setenv(VARIABLES[name][1], "from-second")
    assert found() == "from-second"
    monkeypatch.setenv(VARIABLES[name][0], "from-first")
    assert found() == "from-first"
    assert found("from-argument") == "from-argument"
    monkeypatch.setenv(VARIABLES[name][0], "")
    assert found() == "from-second"
    monkeypatch.setenv(VARIABLES[name][1], "")
    monkeypatch.setenv(VARIABLES[name][2], "")
    assert found() == "from-file"


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_each_pair_of_variables_is_enough(
    pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of the reference, and both that applications use."""
    monkeypatch.setenv(pair[0], "k")
    monkeypatch.setenv(pair[1], "s")
    assert find_credentials(None, None) == ("k", "s")


@pytest.mark.parametrize("stray", [name for names in VARIABLES.values() for name in names])
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_stray_variable_is_not_mixed_with_a_pair(
    stray: str, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both keys are those of the pair that is whole, whichever comes first."""
    monkeypatch.setenv(stray, "stray")
    monkeypatch.setenv(pair[0], "k")
    monkeypatch.setenv(pair[1], "s")
    assert find_credentials(None, None) == ("k", "s")


def test_the_first_whole_pair_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several whole pairs the one of the reference comes first, and then the most usual one."""
    for count, (key, secret) in enumerate(reversed(PAIRS)):
        monkeypatch.setenv(key, f"k{count}")
        monkeypatch.setenv(secret, f"s{count}")
        assert find_credentials(None, None) == (f"k{count}", f"s{count}")


@each_key
def test_half_a_pair_leaves_the_file_whole_with_a_warning(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable without its other half is not put together with the file's, and is reported."""
    store(home, {"apiKey": "k", "apiSecret": "s"})
    monkeypatch.setenv(VARIABLES[name][1], HIDDEN)
    with pytest.warns(ConfigurationWarning, match=VARIABLES[name][1]) as caught:
        assert find_credentials(None, None) == ("k", "s")
    assert HIDDEN not in str(caught[0].message)


HALVES = [(key, secret) for key, _ in PAIRS for _, secret in PAIRS if (key, secret) not in PAIRS]


@pytest.mark.parametrize(("key", "secret"), HALVES)
def test_two_halves_are_used_with_a_warning_if_there_is_no_whole(
    key: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of two pairs, the only ones there are, work as before, and are reported by name."""
    monkeypatch.setenv(key, "k")
    monkeypatch.setenv(secret, "s")
    with pytest.warns(ConfigurationWarning, match=rf"{key}\b.*{secret}\b"):
        assert find_credentials(None, None) == ("k", "s")


def test_an_argument_is_not_mixed_with_the_half_of_another_key(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that stands beside another key than the one given is not that key's."""
    monkeypatch.setenv("SENDBLUE_API_API_KEY", "another")
    monkeypatch.setenv("SENDBLUE_API_API_SECRET", "of-another")
    store(home, {"apiKey": "k", "apiSecret": "s"})
    assert find_credentials("k", None) == ("k", "s")
    monkeypatch.setenv("SENDBLUE_API_SECRET_KEY", "alone")
    assert find_credentials("k", None) == ("k", "alone")
    assert find_credentials("another", None) == ("another", "of-another")


def test_everything_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error names both missing keys, both bad ones, or a bad one and a missing one."""
    with pytest.raises(ConfigurationError) as caught:
        find_credentials(None, None)
    for word in ("api_key", "api_secret", *sum(PAIRS, ()), *ENTRIES.values()):
        assert word in str(caught.value)
    monkeypatch.setenv("SENDBLUE_API_KEY", " k")
    with pytest.raises(ConfigurationError, match=r"No api_secret: .*api_key .*ASCII"):
        find_credentials(None, None)
    monkeypatch.setenv("SENDBLUE_API_SECRET", "s\n")
    with pytest.raises(ConfigurationError, match=r"api_key .*ASCII.*api_secret .*ASCII"):
        find_credentials(None, None)
    with pytest.raises(ConfigurationError, match=r"api_key is empty.*api_secret is empty"):
        find_credentials("", "")


@pytest.mark.parametrize(
    ("mode", "word"),
    [(0o644, "read"), (0o640, "read"), (0o604, "read"), (0o666, "change"), (0o622, "change"),
     (0o660, "change")],
)  # fmt: skip
@pytest.mark.parametrize("linked", [False, True])
def test_a_file_that_is_open_to_others_is_reported(
    home: Path, mode: int, word: str, linked: bool
) -> None:
    """Such a file is used, with a warning of what others can do, and how to end that."""
    file = store(home, {"apiKey": "k", "apiSecret": "s"})
    if linked:
        target = home / "elsewhere.json"
        file.rename(target)
        file.symlink_to(target)
    file.chmod(mode)
    with pytest.warns(ConfigurationWarning, match=f"can {word} it.*{mode:o}") as caught:
        assert find_credentials(None, None) == ("k", "s")
    assert "chmod 600 ~/.sendblue/credentials.json" in str(caught[0].message)
    assert len(caught) == 1


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_ones_own_is_not_reported(home: Path, mode: int) -> None:
    """No warning, which would be an error here, where nobody else can open the file."""
    store(home, {"apiKey": "k", "apiSecret": "s"}).chmod(mode)
    assert find_credentials(None, None) == ("k", "s")


def test_a_file_of_another_user_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else owns it, and can change it; root is nobody else."""
    owner = store(home, {"apiKey": "k", "apiSecret": "s"}).stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    if owner == 0:
        assert find_credentials(None, None) == ("k", "s")
        os.chown(home / ".sendblue" / "credentials.json", 1234, -1)
        owner = 1234
    with pytest.warns(ConfigurationWarning, match=rf"belongs to another user \(uid {owner}\)"):
        assert find_credentials(None, None) == ("k", "s")


def test_a_warning_is_shown_once(home: Path) -> None:
    """By Python's own rules: however many clients look, a program says it one time."""
    store(home, {"apiKey": "k", "apiSecret": "s"}).chmod(0o644)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            find_credentials(None, None)
    assert len(caught) == 1


def test_nothing_is_checked_where_there_are_no_owners(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows shows modes that mean nothing."""
    store(home, {"apiKey": "k", "apiSecret": "s"}).chmod(0o666)
    monkeypatch.delattr("os.geteuid")
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
    for origin in (name, "argument", *VARIABLES[name], "~/.sendblue/credentials.json",
                  ENTRIES[name]):  # fmt: skip
        assert origin in message
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
UNSENDABLE_FROM = [
    (origin, value)
    for origin in ("argument", "environment", "file")
    for value in UNSENDABLE
    if origin != "environment" or not {"\x00", "\ud800"} & {*value}
]


@each_key
@pytest.mark.parametrize(("origin", "value"), UNSENDABLE_FROM, ids=ascii)
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(
    name: str, origin: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key with a line break, a blank around it or a non-ASCII character is named, not shown."""
    arguments: dict[str, str | None] = dict.fromkeys(VARIABLES, "present") | {name: None}
    if origin == "argument":
        arguments[name] = value
    elif origin == "file":
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


@pytest.mark.parametrize("origin", ["argument", "environment", "file"])
def test_a_traceback_with_locals_does_not_show_the_key_that_was_found(
    origin: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one key is missing, an error report that prints local variables hides the other."""
    if origin == "environment":
        monkeypatch.setenv("SENDBLUE_API_API_KEY", HIDDEN)
    elif origin == "file":
        store(home, {"apiKey": HIDDEN})
    with pytest.raises(ConfigurationError, match="No api_secret") as caught:
        find_credentials(HIDDEN if origin == "argument" else None, None)
    assert HIDDEN not in shown(caught.value)


def test_a_secret_is_a_string_that_does_not_show_itself() -> None:
    """A secret's repr is masked, also inside others; it is copied as it is, and not pickled."""
    secret = Secret(HIDDEN)
    credentials = Credentials(secret, secret)
    for each in (copy.copy(secret), copy.deepcopy(secret)):
        assert each is secret
    for shy in (credentials, credentials.headers):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="not pickled"):
                pickle.dumps([shy], protocol)
    for holder in (secret, [secret], {"key": secret}, credentials, credentials.headers):
        assert HIDDEN not in repr(holder)
        assert "***" in repr(holder)


LONG = "".join(f"{number:04x}" for number in range(64))
VIEWS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "a slice": lambda value: value[:80],
    "a slice from the end": lambda value: value[-4:],
    "a letter": lambda value: value[1],
    "letters": lambda value: " ".join(value),
    "a list": lambda value: list(value),
    "format": lambda value: format(value, ".8"),
    "an f-string": lambda value: f"{value} {value:>300} {value!r}",
    "str.format": lambda value: "{0}".format(value),  # noqa: UP030, UP032
    "reprlib": reprlib.repr,
    "reprlib of a dict": lambda value: reprlib.repr({"key": value}),
    "pprint": lambda value: pprint.pformat([value, {"key": value}], width=20),
    "a dict": lambda value: repr({"key": value}),
    "a CIMultiDict": lambda value: repr(CIMultiDict({"key": value})),
    "a tuple": lambda value: str((value, [value])),
}
AT_REST: dict[str, Callable[[Any], object]] = {
    "str": str,
    "percent": lambda value: "%s %.90s" % (value, value),  # noqa: UP031
    "print": lambda value: "".join(["", value]),
    "JSON": lambda value: json.dumps({"key": value}),
    "bytes": lambda value: value.encode(),
    "a sum": lambda value: value + "",
    "upper case": lambda value: value.upper(),
    "words": lambda value: value.split(),
    "an attribute": lambda value: [getattr(value, name) for name in type(value).__slots__],
}


@pytest.mark.parametrize("view", VIEWS)
def test_no_part_of_a_secret_is_shown(view: str) -> None:
    """Whatever a reporter does with a secret, or with the header that carries it, gives stars."""
    secret = Secret(LONG)
    header = Credentials(secret, secret).headers["sb-api-key-id"]
    for value in (secret, header):
        text = str(VIEWS[view](value))
        assert "*" in text
        assert not any(piece in text for piece in ("0000", "0001", "003f", "0, 0", "0 0"))


@pytest.mark.parametrize("view", AT_REST)
def test_a_secret_that_is_kept_has_no_way_out_but_one(view: str) -> None:
    """Not even ``str()``, JSON or the methods of a string give more than stars."""
    secret = Secret(LONG)
    assert "0001" not in str(AT_REST[view](secret)).lower()
    assert str(secret.reveal()) == LONG


def test_a_secret_is_compared_by_its_value() -> None:
    """It equals its value and secrets of the same value, and no stars; an empty one is false."""
    assert Secret("a") == "a" == Secret("a")
    assert Secret("a") != "b"
    assert Secret("a") != Secret("b")
    assert Secret("a") != "***"
    assert Secret("a") not in (None, 5)
    assert len({Secret("a"), Secret("a"), "a"}) == 1
    assert Secret("a")
    assert not Secret("")
    assert Secret(Secret("a")) == "a"


def test_found_keys_are_secrets_in_their_headers() -> None:
    """The two keys go into the two documented headers, and neither shows in a repr."""
    credentials = find_credentials("the-key", "the-secret")
    assert credentials.headers == {"sb-api-key-id": "the-key", "sb-api-secret-key": "the-secret"}
    assert [str(value) for value in credentials.headers.values()] == ["the-key", "the-secret"]
    assert "the-key" not in repr(credentials)
    assert "the-secret" not in repr(credentials)


def test_both_keys_are_redacted_from_a_text() -> None:
    """Every occurrence of either key in a text is masked, and the rest is untouched."""
    credentials = find_credentials("the-long-key", "the-secret")
    text = "a the-long-key b the-secret c the-long-key"
    assert credentials.redact(text) == "a *** b *** c ***"
    assert credentials.redact("nothing here") == "nothing here"


def test_a_short_key_eats_no_words() -> None:
    """What is shorter than eight characters is left in others' words, and eight are masked."""
    credentials = find_credentials("key", "seven77")
    text = "Missing or wrong API keys, error seven77 in monkey.py"
    assert credentials.redact(text) == text
    assert find_credentials("key", "eight888").redact("an eight888 key") == "an *** key"
