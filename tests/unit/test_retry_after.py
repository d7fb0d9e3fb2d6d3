"""What a server asks for in `Retry-After`, and what is no time at all."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendblue_async._retry_after import parse_retry_after

# Sun, 06 Nov 1994 08:49:37 GMT
MOMENT = 784111777.0
FORMS = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
]


@pytest.fixture(params=["UTC0", "EST5EDT,M3.2.0,M11.1.0", "NPT-5:45"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """A local time zone, given back afterwards."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sent", [None, *FORMS])
def test_all_date_forms_mean_the_same_in_every_zone(zone: str, form: str, sent: str | None) -> None:
    """The three date forms mean one moment, whatever the local zone and the Date header's form."""
    assert (time.timezone, time.tzname[0]) in {(0, "UTC"), (18000, "EST"), (-20700, "NPT")}
    if sent is None:
        assert parse_retry_after({"retry-after": form}, MOMENT - 20) == 20.0
        assert parse_retry_after({"retry-after": f" {form}\t"}, MOMENT - 0.5) == 0.5
    else:
        later = form.replace("08:49:37", "08:51:07")
        headers = {"retry-after": later, "date": sent}
        assert parse_retry_after(headers, MOMENT + 10**6) == 90.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20", 20.0), ("007", 7.0), ("1.5", 1.5), (" 5 ", 5.0), ("\t5", 5.0), ("0.001", 0.001),
     ("1", 1.0), ("86400", 86400.0), ("999999999", 999999999.0)],
)  # fmt: skip
def test_seconds_are_read(text: str, seconds: float) -> None:
    """Plain digits, leading zeros, a fraction and blanks around them are seconds."""
    assert parse_retry_after({"retry-after": text}, MOMENT) == seconds
    assert parse_retry_after({"retry-after": text, "date": FORMS[0]}, 0.0) == seconds


@pytest.mark.parametrize("text", ["20, 20", "20,20", "20, 20, 20", *[f"{f}, {f}" for f in FORMS]])
def test_a_time_that_two_servers_name_alike_is_read(text: str) -> None:
    """A header that comes twice with one value, as its joined lines show it, counts once."""
    assert parse_retry_after({"retry-after": text}, MOMENT - 20) == 20.0


NO_TIME = [
    "0", "00", "0.0", "-0", "-10", "+5", "1e1", "1_0", "0x10", "nan", "inf", "-inf", "Infinity",
    "９", "٣", "²", "5, 10", "5;10", "5 10", "soon", "", " ", "\t", ".5", "5.", "1.5.1", "1,5",
    "5s", "5\n", "\n5", "5\r\n", "\u00a05", "\x005", "5" * 5000, "0" * 5000 + "5", "9" * 10,
    "Thu, 31 Feb 2030 00:00:00 GMT", "Sun, 06 Nov 99999 08:49:37 GMT",
    "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
    "Sun, 06 Nov 1994 08:61:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 EST",
    "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, ０6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49 GMT",
    "1994-11-06T08:49:37Z", "Sun Nov 31 08:49:37 1994", "Sun Nov  6 08:49:37 1994 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT\n", "Sun, 06 Nov 1994 08:49:37 GMT, 5", *FORMS,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_TIME, ids=lambda text: ascii(text)[:40])
def test_what_names_no_time_to_come_is_ignored(text: str) -> None:
    """Zero, the past and everything that is no time fall back to the backoff, and never raise."""
    assert parse_retry_after({"retry-after": text}, MOMENT) is None
    assert parse_retry_after({"retry-after": text, "date": FORMS[0]}, 0.0) is None


def test_no_header_is_no_time() -> None:
    """An answer without the header asks for nothing, whatever else it has."""
    assert parse_retry_after({}, MOMENT) is None
    assert parse_retry_after({"date": FORMS[0], "retry": "5"}, MOMENT) is None


@pytest.mark.parametrize("date", ["", "soon", "9", "Thu, 31 Feb 2030 00:00:00 GMT", "5" * 5000])
def test_an_unusable_date_header_leaves_the_own_clock(date: str) -> None:
    """A Date header that is no date is as good as none."""
    headers = {"retry-after": FORMS[0], "date": date}
    assert parse_retry_after(headers, MOMENT - 7) == 7.0


def test_a_clock_that_is_wrong_does_not_matter() -> None:
    """A date is measured against the response's own Date, so both clocks may be years off."""
    headers = {"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT", "date": FORMS[0]}
    assert {parse_retry_after(headers, now) for now in (0.0, MOMENT, 4e9)} == {30.0}
    past = {"retry-after": FORMS[0], "date": "Sun, 06 Nov 1994 08:50:07 GMT"}
    assert {parse_retry_after(past, now) for now in (0.0, MOMENT, 4e9)} == {None}


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=40)
    | st.from_regex(r"[0-9]{0,12}\.?[0-9]{0,12}", fullmatch=True)
    | st.from_regex(
        r"[A-Z][a-z]{2,8},? [0-9]{2}[ -][JFND][a-z]{2}[ -][0-9]{2,5} [0-9]{2}(:[0-9]{2}){2} GMT"
    ),
    st.none() | st.text(max_size=40) | st.sampled_from(FORMS),
)
@example("Mon, 01 Jan 0001 00:00:00 GMT", None)
@example("Fri, 31 Dec 9999 23:59:59 GMT", None)
@example("Fri, 31 Dec 9999 23:59:60 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
def test_any_header_is_a_time_or_ignored(text: str, date: str | None) -> None:
    """No header value raises: it is a finite time to come, or it is ignored."""
    headers = {"retry-after": text} | ({} if date is None else {"date": date})
    seconds = parse_retry_after(headers, MOMENT)
    assert seconds is None or 0 < seconds < math.inf
