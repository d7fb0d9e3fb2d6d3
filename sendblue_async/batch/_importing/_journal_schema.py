"""The tables of a journal."""

from __future__ import annotations

IN_PROGRESS = "in progress"
"""The state of an entry whose intent was committed, and not yet its outcome."""

MERGED = "merged"
"""The code of an entry that was merged into another one, whose index is its reason."""

DUPLICATE = "duplicate"
"""The code of an entry that gives way to another one, whose index is its reason."""

STATES = (
    IN_PROGRESS,
    "created",
    "stored",
    "existing",
    "rejected",
    "unknown",
    "skipped",
    "unchanged",
)
STATE_NUMBERS = {name: number for number, name in enumerate(STATES)}
APPLICATION_ID = int.from_bytes(b"SbIm", "big")
VERSION = 3
SCHEMA = f"""
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
    CREATE TABLE about (
        fingerprint TEXT NOT NULL, salt BLOB NOT NULL, entries INTEGER, reported INTEGER,
        commits INTEGER NOT NULL DEFAULT 0, begun REAL NOT NULL
    );
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE repeated (
        number BLOB PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE state (
        entry INTEGER PRIMARY KEY,
        outcome INTEGER NOT NULL CHECK (outcome BETWEEN 0 AND {len(STATES) - 1}),
        line INTEGER,
        code TEXT,
        reason TEXT,
        contact_id TEXT
    );
"""
