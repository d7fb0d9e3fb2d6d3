"""How the contacts of a batch are sent."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, fields, frozen

from ..._arguments import suggest_arguments
from ..._checks import check_flags, validate_count, validate_flag, validate_positive_seconds
from ..._rate_limits import RateLimiter, check_rate_limit
from ...exceptions import ConfigurationError


def _validate_rate_limit(instance: object, attribute: Attribute[Any], value: Any) -> None:
    check_rate_limit(attribute.name, value)


@suggest_arguments
@frozen(kw_only=True)
class SendOptions:
    """How the contacts of a batch are sent.

    Attributes:
        concurrency: How many contacts are in flight at once. Default 32.
        rate_limit: Requests per second at most, retries and look-ups included, or a
            :class:`~sendblue_async.RateLimiter`. By default the batch discovers the server's.
        give_up_after: Seconds without any success after which the batch ends. Default 600.
        bulk: Whether contacts that are in flight together go into one bulk request, where that
            can carry them. Default false.

    Raises:
        ConfigurationError: If a value is not usable.
    """

    concurrency: int = field(default=32, validator=validate_count)
    rate_limit: float | RateLimiter | None = field(default=None, validator=_validate_rate_limit)
    give_up_after: float = field(default=600.0, validator=validate_positive_seconds)
    bulk: bool = field(default=False, validator=validate_flag)

    @classmethod
    def of(cls, options: SendOptions | None, **keywords: Any) -> SendOptions:
        """Return the options that a caller gave as an object or as keywords, but not as both.

        Raises:
            ConfigurationError: If a value is not usable, or both are given.
        """
        if options is None:
            return cls(**keywords)
        if not isinstance(options, cls):
            raise ConfigurationError(f"send_options must be SendOptions, not {options!r}.")
        defaults = {attribute.name: attribute.default for attribute in fields(cls)}
        for name, value in keywords.items():
            if value != defaults[name]:
                raise ConfigurationError(f"send_options has a {name}; give no other with it.")
        return options

    def check_update(self, update_if_exists: bool | None) -> None:
        """Refuse to update contacts in bulk, which the bulk endpoint cannot do.

        Raises:
            ConfigurationError: If they are to be, or the flag is neither true nor false.
        """
        if update_if_exists is not None:
            check_flags(update_if_exists=update_if_exists)
        if self.bulk and update_if_exists:
            raise ConfigurationError(
                "The bulk endpoint does not update contacts: leave out bulk or update_if_exists."
            )
