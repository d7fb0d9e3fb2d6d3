"""A local, stateful stand-in for Sendblue's contacts API, with dials for faults.

It is written from the API's contract and shares no code with the client, so that one mistake
cannot hide in both.
"""

from __future__ import annotations

from ._faults import Faults
from ._received import ReceivedRequest
from ._server import Sandbox

__all__ = ["Faults", "ReceivedRequest", "Sandbox"]
