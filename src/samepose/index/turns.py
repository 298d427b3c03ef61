"""Writers of one remote index take turns, by the commit rules of its store alone.

A folder has a file lock for as long as a writer runs. An object store has none, and there many machines shall index
at once: what takes long, looking for people, needs no lock; what must not overlap is the few commits by which found
people become rows. For these a writer takes the turn: one row of a small table says whose it is. Lance commits a
version by a conditional write, so of all who change that row at once exactly one succeeds. While it has the turn, the
holder counts up the row's `beat`. Who sees a beat that does not change for `LEASE` seconds of its own clock takes the
turn from the dead holder, and first removes what that one left (`upkeep.recover`). No clocks are compared.

The holder in turn does not begin a commit when its last beat is older than half of that time. What is left: a commit
that takes more than the other half, of a holder that does not beat meanwhile.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from samepose.errors import StoreError
from samepose.index.place import committed, connect, store_errors

LEASE = 60.0  # seconds
_POLL = 0.5  # seconds between looks at somebody else's turn, at least; up to three times that
_RACERS, _RACES = 4, 3
_TABLE, _TRIAL = "turn", "trial"


class Turns:
    """The turn of one index, for one thread of one writer."""

    def __init__(self, uri: str) -> None:
        self._uri, self._me, self._depth = uri, uuid4().hex, 0
        self._table: Any = None
        self._beaten, self._lost = 0.0, False

    @contextmanager
    def taken(self) -> Iterator[bool | None]:
        """Have the turn; True where somebody who had it before may have left something half done.

        Within it, another one is the same, and says None.

        Raises:
            StoreError: the store cannot be written to, or does not honour conditional writes.
        """
        if self._depth:
            yield None
            return
        inherited, stop = self._take(), threading.Event()
        beating = threading.Thread(target=self._beat_until, args=(stop,), daemon=True, name="samepose-turn")
        beating.start()
        self._depth, whole = 1, False
        try:
            yield inherited
            whole = True
        finally:
            self._depth = 0
            stop.set()
            beating.join()
            if not self._lost:
                self._change(f"owner = '{self._me}'", owner="", dirty=not whole)

    def check(self) -> None:
        """Make sure that the turn is still this one's for a while, before something is committed.

        Raises:
            StoreError: it may not be.
        """
        if self._depth and (self._lost or time.monotonic() - self._beaten > LEASE / 2):
            raise StoreError(f"{self._uri}: this writer was held up for more than {LEASE / 2:.0f} s and another one "
                             "may have taken its turn; do the same again, what was finished is kept")

    def _take(self) -> bool:
        with store_errors(self._uri):
            if self._table is None:
                self._table = _opened(self._uri)
            seen, since = None, time.monotonic()
            while True:
                (row,) = self._table.search().to_arrow().to_pylist()
                dead = row["owner"] and row == seen and time.monotonic() - since > LEASE
                if not row["owner"] or dead:
                    self._beaten, self._lost = time.monotonic(), False
                    if self._change(f"owner = '{row['owner']}' AND beat = {row['beat']}", owner=self._me, dirty=True):
                        return bool(dead or row["dirty"])
                if row != seen:
                    seen, since = row, time.monotonic()
                time.sleep(_POLL * random.uniform(1, 3))

    def _beat_until(self, stop: threading.Event) -> None:
        while not stop.wait(LEASE / 6):
            began = time.monotonic()
            try:
                if not self._change(f"owner = '{self._me}'"):
                    self._lost = True
                    return
                self._beaten = began
            except StoreError:  # `check` sees how long it goes on
                continue

    def _change(self, where: str, **values: Any) -> bool:
        """Change the row if it is still as `where` says, and count up its beat."""
        sql = {"beat": "beat + 1", **{name: repr(value).lower() if isinstance(value, bool) else f"'{value}'"
                                      for name, value in values.items()}}
        return bool(committed(self._uri, lambda: self._table.update(where=where, values_sql=sql).rows_updated))


def _opened(uri: str) -> Any:
    """The table, made by the first writer of the index, once the store has shown what it is worth."""
    import pyarrow as pa

    db = connect(uri)
    try:
        return db.open_table(_TABLE)
    except ValueError:  # there is none, or but what a writer left that was killed while it made it
        _try_conditional_writes(uri)
        free = pa.table({"owner": [""], "beat": [0], "dirty": [False]})
        committed(uri, lambda: db.create_table(_TABLE, data=free, exist_ok=True))
        return db.open_table(_TABLE)


def _try_conditional_writes(uri: str) -> None:
    """Let several change one row at once, some times over: only one may succeed each time.

    One race may be none, where the first is done before the second begins, as on a busy machine.

    Raises:
        StoreError: more did, and so would overwrite each other's commits.
    """
    import pyarrow as pa

    db, name = connect(uri), f"{_TRIAL}_{uuid4().hex[:12]}"
    committed(uri, lambda: db.create_table(name, data=pa.table({"race": [0]}), mode="overwrite"))
    start, won = threading.Barrier(_RACERS), [list[int]() for _ in range(_RACES)]

    def race(table: Any) -> None:
        for number, winners in enumerate(won):
            start.wait()
            with suppress(Exception):  # lost by many
                winners.append(table.update(where=f"race = {number}", values={"race": number + 1}).rows_updated)

    racers = [threading.Thread(target=race, args=(connect(uri).open_table(name),)) for _ in range(_RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    db.drop_table(name)
    if max(map(sum, won)) > 1:
        raise StoreError(f"{uri}: the store does not honour conditional writes (If-None-Match), so that writers would "
                         "overwrite each other; use one that does, or keep the index in a folder")
