"""What more than one test file demands of an error."""

from __future__ import annotations

import copy
import pickle
import re

from sendblue_async import SendblueError


def check_copies(error: SendblueError) -> None:
    """Fail unless the error survives pickling and copying with all its fields."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def check_cause(error: SendblueError) -> None:
    """Fail unless the error tells in words what it was caused by, if by anything."""
    cause = error.__cause__
    if cause is None and error.cause is not None:
        # What quotes a number is told in words alone.
        assert re.search("…[0-9]{4}", error.cause)
    else:
        assert error.cause == (None if cause is None else f"{type(cause).__name__}: {cause}")
    while cause is not None:
        # The frames of aiohttp and asyncio hold the request.
        assert cause.__traceback__ is None
        cause = cause.__cause__ or cause.__context__
