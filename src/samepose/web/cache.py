"""Pictures that were made before, as many as fit: the ones asked for last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock


class Cache:
    """Bytes by key, of a limited total; for several threads."""

    def __init__(self, most: int) -> None:
        """Hold at most so many bytes."""
        self._most, self._size, self._lock = most, 0, Lock()
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """What is kept under the key, or else is made now; two threads may make the same, none waits for another."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._size += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made

    def __len__(self) -> int:
        return len(self._kept)
