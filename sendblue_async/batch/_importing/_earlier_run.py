"""The import that a journal is of: whether it is resumed, replaced by another one, or refused."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from ...exceptions import JournalError
from ._journal_errors import OLDER, START_OVER

# Settings whose values mean nothing to a reader.
_OPAQUE = {
    "account": "the account or the base URL is another one",
    "columns": "the columns are mapped differently",
}
_RESUME = "(--resume, or resume=True in Python)"


@frozen(kw_only=True)
class EarlierRun:
    """What a journal tells of the import that it is of.

    Attributes:
        journal: The name of the journal.
        fingerprint: The fingerprint of its input.
        settings: Its settings.
        is_finished: Whether every row has its outcome.
        is_older: Whether an older version of this package has written the journal.
        has_outcomes: Whether any row has its outcome.
        may_have_stored: Whether it may have stored any contact.
    """

    journal: str
    fingerprint: str
    settings: Mapping[str, str]
    is_finished: bool
    is_older: bool
    has_outcomes: bool
    may_have_stored: bool

    @property
    def is_over(self) -> bool:
        """Whether nothing is left that only this journal knows and that an import needs."""
        return self.is_finished or not (self.may_have_stored or self.is_older)

    def gives_way(self, fingerprint: str, settings: Mapping[str, str], *, resume: bool) -> bool:
        """Whether an import of this input with these settings may begin in its place."""
        if not self.is_over or (resume and fingerprint == self.fingerprint):
            return False
        if self.is_older or fingerprint != self.fingerprint or settings != self.settings:
            return True
        # The account may have changed since, and to find out is cheap.
        return self.has_outcomes and settings.get("only_changes") == "True"

    def check_resumable(
        self, fingerprint: str, settings: Mapping[str, str], *, resume: bool
    ) -> None:
        """Check that an import of this input with these settings continues it.

        Raises:
            JournalError: If it does not, or should not.
        """
        if self.is_older:
            raise JournalError(OLDER.format(self.journal))
        # First what resuming would be refused for, too.
        way = "Resume" if resume else f"Resume {_RESUME}"
        if self.fingerprint != fingerprint:
            raise JournalError(
                "The contacts have changed since an import of them began, which is not finished "
                f"(journal: {self.journal}). {way} with the contacts as they were, or start over "
                f"{START_OVER}, which sends all of those that there are now."
            )
        changes = _describe_settings(self.settings, settings)
        if changes:
            raise JournalError(
                f"The import with the journal {self.journal} was begun with other settings: "
                f"{', '.join(changes)}. {way} with the former settings, or start over "
                f"{START_OVER}."
            )
        if not (resume or self.is_over):
            raise JournalError(
                f"An earlier import of these contacts is not finished (journal: {self.journal}). "
                f"Resume it {_RESUME}, or start over {START_OVER}, which sends every contact again."
            )


def _describe_settings(former: Mapping[str, str], settings: Mapping[str, str]) -> list[str]:
    """Name each setting that differs, with what it was and what it is where that tells anything."""
    changed = {name for name in {*former, *settings} if former.get(name) != settings.get(name)}
    if "all_numbers" in changed:
        # The library has a version in the settings only where all numbers are used.
        changed.discard("phonenumbers")
    return [
        _OPAQUE.get(name)
        or f"{name} was {_show(former.get(name))} and is {_show(settings.get(name))} now"
        for name in sorted(changed)
    ]


def _show(value: str | None) -> str:
    return "not given" if value in (None, "None") else repr(value)
