"""An answer as it comes in: what is unpacked, and what is joined."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from sendblue_async._answer import (
    MAX_ANSWER_SIZE,
    MAX_REFUSAL_SIZE,
    NO_CONTENT,
    Body,
    join_headers,
)


def deflate(data: bytes) -> bytes:
    """The data in bare deflate."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip of old": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", deflate),
}


def body_of(pieces: list[bytes], coding: str, status: int = 200) -> Body:
    """A body that has come in these pieces, as far as it is taken."""
    body = Body(status, {"content-encoding": coding})
    for piece in pieces:
        if not body.feed(piece):
            break
    return body


@settings(deadline=None, max_examples=200)
@given(
    data=st.binary(max_size=400),
    times=st.integers(1, 2000),
    names=st.lists(st.sampled_from(sorted(PACKERS)), max_size=3),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
)
def test_what_was_packed_is_unpacked(
    data: bytes, times: int, names: list[str], cuts: list[int]
) -> None:
    """Whatever it is, however often it was packed, and wherever it is cut."""
    packed = content = data * times
    for name in names:
        packed = PACKERS[name][1](packed)
    edges = sorted({0, *(cut for cut in cuts if cut < len(packed)), len(packed)})
    pieces = [packed[start:end] for start, end in pairwise(edges)]
    body = body_of(pieces, ", ".join(PACKERS[name][0] for name in names))
    assert (body.content, body.fault) == (content, None)


@pytest.mark.parametrize("size", [*range(2**18 - 2, 2**18 + 300, 7), 2**19, 2**19 + 1])
def test_what_comes_out_last_is_not_left_inside(size: int) -> None:
    """All input may have been taken while some of the output is still to come."""
    content = b"x" * size
    body = body_of([deflate(content)], "deflate")
    assert (body.content == content, body.fault) == (True, None)


@settings(deadline=None)
@given(st.data())
def test_what_is_cut_short_has_a_fault(data: st.DataObject) -> None:
    """A part of what was packed is not the whole, wherever it ends."""
    packed = gzip.compress(b"some content")
    end = data.draw(st.integers(1, len(packed) - 1))
    assert body_of([packed[:end]], "gzip").fault == "was cut short"


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "gzip, gzip, gzip, gzip", "", "x"])
def test_what_cannot_be_unpacked_is_left_as_it_is(coding: str) -> None:
    """Coding names that are unknown, or too many, change nothing."""
    packed = gzip.compress(b"some content")
    body = body_of([packed], coding)
    assert (body.content, body.fault) == (packed, None)


@pytest.mark.parametrize(
    ("status", "limit", "words"),
    [
        (200, MAX_ANSWER_SIZE, "32 MB"),
        (299, MAX_ANSWER_SIZE, "32 MB"),
        (199, MAX_REFUSAL_SIZE, "64 kB"),
        (300, MAX_REFUSAL_SIZE, "64 kB"),
        (404, MAX_REFUSAL_SIZE, "64 kB"),
    ],
)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_no_more_is_kept_than_the_limit(status: int, limit: int, words: str, coding: str) -> None:
    """A byte more is one too many, and what was kept until then stays."""
    pack = gzip.compress if coding == "gzip" else bytes
    body = body_of([pack(b"x" * limit)], coding, status)
    assert (len(body.content), body.fault) == (limit, None)
    body = body_of([pack(b"x" * (limit + 1))], coding, status)
    assert len(body.content) == limit
    assert body.fault == f"is larger than {words}, the most that is read"


def padded_gzip(content: bytes, size: int) -> bytes:
    """The content in gzip, made this large by a file name in its header."""
    packed = gzip.compress(content, mtime=0)
    name = b"x" * (size - len(packed) - 1) + b"\0"
    return packed[:3] + b"\x08" + packed[4:10] + name + packed[10:]


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_what_is_packed_has_the_same_limit(coding: str) -> None:
    """However little comes out of it in the end."""
    for size, fault in ((MAX_REFUSAL_SIZE, None), (MAX_REFUSAL_SIZE + 1, "is larger than 64 kB")):
        packed = padded_gzip(b"some content", size)
        body = body_of([packed if coding == "gzip" else gzip.compress(packed)], coding, 404)
        assert (body.fault or "").partition(",")[0] == (fault or "")
        assert fault is not None or body.content == b"some content"


def test_gzip_may_have_a_thousand_members() -> None:
    """One more is one too many, however little is in it."""
    packed = gzip.compress(b"x") * 1000
    body = body_of([packed], "gzip")
    assert (body.content, body.fault) == (b"x" * 1000, None)
    fault = body_of([packed + gzip.compress(b"x")], "gzip").fault
    assert fault is not None
    assert fault.startswith("is larger than")


@pytest.mark.parametrize("window", range(9, 16))
def test_deflate_may_have_a_window_of_any_size(window: int) -> None:
    """Its header says how large it is."""
    packer = zlib.compressobj(wbits=window)
    body = body_of([packer.compress(b"some content") + packer.flush()], "deflate")
    assert (body.content, body.fault) == (b"some content", None)


@pytest.mark.parametrize("packer", PACKERS)
def test_the_largest_window_is_understood(packer: str) -> None:
    """What was there 32 kB before, less a few bytes, is not packed again."""
    content = random.Random(1).randbytes(2**15 - 300) * 2
    coding, pack = PACKERS[packer]
    packed = pack(content)
    assert len(packed) < len(content) * 0.6
    body = body_of([packed], coding)
    assert (body.content, body.fault) == (content, None)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip"])
def test_deflate_is_no_gzip(coding: str) -> None:
    """The name of the coding decides."""
    assert body_of([zlib.compress(b"x")], coding).fault == "is damaged and cannot be unpacked"


def test_all_codings_may_come_at_once() -> None:
    """Each once, under the name it has."""
    packed = zlib.compress(gzip.compress(gzip.compress(b"x")))
    assert body_of([packed], "gzip, x-gzip, deflate").content == b"x"


def test_two_successes_have_no_content() -> None:
    """As RFC 9110 has it."""
    assert NO_CONTENT == (204, 205)


def test_headers_of_one_name_are_joined() -> None:
    """In their order, under a name in lower case; ``Set-Cookie`` is not."""
    given = [("X-A", "1"), ("Set-Cookie", "a"), ("x-a", "2"), ("X-B", "3"), ("set-cookie", "b")]
    joined = join_headers(CIMultiDict(given))
    assert joined == {"x-a": "1, 2", "set-cookie": "b", "x-b": "3"}
