"""Dates as people write them, and the files that were changed between two."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from samepose.errors import UsageError

Date = str | date  # ISO 8601: a day, or a day and a time; of no time zone: that of this computer
_EVER = 2**63 - 1


def between(since: Date | None, until: Date | None) -> tuple[int, int] | None:
    """First and last nanosecond since the epoch; a day counts from its beginning, and to its end. None without dates.

    Raises:
        UsageError: one is no date, or nothing lies between them.
    """
    if since is None and until is None:
        return None
    first = 0 if since is None else _nanoseconds(since, "since", end=False)
    last = _EVER if until is None else _nanoseconds(until, "until", end=True)
    if first > last:
        raise UsageError(f"`since` is {since} and `until` is {until}: nothing lies between; exchange them")
    return first, last


def _nanoseconds(given: Date, name: str, end: bool) -> int:
    try:
        text = given.isoformat() if isinstance(given, date) else given.strip()
        when = datetime.fromisoformat(text)
        if end and when.time() == time() and len(text) <= len("2026-11-24"):
            when += timedelta(days=1, microseconds=-1)
        return int(when.timestamp() * 1e9)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"`{name}` is {str(given)!r}; give a date such as 2026-11-24, or with a time, "
                         "2026-11-24T18:30") from error
