"""Who merges the store's files and builds its search indices: this process, or the nodes of a Ray cluster.

On a cluster it is lance-ray that does it: each node reads a share of the files and builds that share of an index, and
one commit puts the shares together. The partitions are trained by this process, on a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from samepose.errors import StoreError
from samepose.index.place import local_folder, patience
from samepose.index.ray import connected, cores_of

if TYPE_CHECKING:
    from samepose.index.store import Store

Scalar = Literal["BTREE", "BITMAP"]


@runtime_checkable
class Builder(Protocol):
    """What `upkeep` asks for; each call is one commit to the table of people."""

    def merge_files(self, store: Store) -> None:
        """Merge small files, if that is better done before indices are built."""
        ...

    def scalar(self, store: Store, column: str, kind: Scalar) -> None:
        """Index a column, in place of its index if it has one."""
        ...

    def vector(self, store: Store, column: str, partitions: int, name: str) -> None:
        """Train IVF_FLAT of so many partitions, in place of one of that name."""
        ...


class Here:
    """LanceDB, in this process."""

    def merge_files(self, store: Store) -> None:
        """Nothing: `upkeep.optimise` does it, together with taking new rows into the indices."""

    def scalar(self, store: Store, column: str, kind: Scalar) -> None:
        from lancedb.index import Bitmap, BTree

        config = BTree() if kind == "BTREE" else Bitmap()
        store.commit(partial(store.people.create_index, column, config=config))

    def vector(self, store: Store, column: str, partitions: int, name: str) -> None:
        from lancedb.index import IvfFlat

        config = IvfFlat(distance_type="l2", num_partitions=partitions)
        store.commit(partial(store.people.create_index, column, config=config, name=name))


HERE = Here()


class Nodes:
    """lance-ray, on the nodes of a cluster, which must all see the index where it is. Get it from `nodes`."""

    def __init__(self, lance_ray: Any, ray: Any) -> None:
        self._lance_ray, self._ray = lance_ray, ray
        self._gather()

    def merge_files(self, store: Store) -> None:
        """Before indices are built, since files of which but some are in an index cannot be merged."""
        self._do(store, self._lance_ray.compact_files)

    def scalar(self, store: Store, column: str, kind: Scalar) -> None:
        self._do(store, self._lance_ray.create_scalar_index, column=column, index_type=kind, name=f"{column}_idx")

    def vector(self, store: Store, column: str, partitions: int, name: str) -> None:
        # It is trained on so many people for each partition; with more than there are lance-ray would not begin.
        self._do(store, self._lance_ray.create_index, column=column, index_type="IVF_FLAT", name=name, metric="l2",
                 num_partitions=partitions, sample_rate=min(partitions, 256))

    def let_go(self) -> None:
        """Of the nodes."""
        self._lance_ray.clear_global_pool(close=True)

    def _gather(self) -> None:
        """A worker for each core that the cluster has now: else each index would wait for workers of its own."""
        self._cores = cores_of(self._ray)
        self._lance_ray.init_global_pool(self._cores)

    def _do(self, store: Store, what: Any, **how: Any) -> None:
        """By the nodes that there are; what one that goes away was doing, those that stay do anew, once."""
        folder = local_folder(store.uri)
        uri = f"{store.uri if folder is None else folder.resolve()}/people.lance"

        def done() -> None:
            store.commit(partial(what, uri=uri, num_workers=self._cores,
                                 storage_options=patience() if folder is None else None, **how))

        try:
            done()
        except self._ray.exceptions.RayError:
            self.let_go()
            self._gather()
            done()
        store.people.checkout_latest()


@contextmanager
def nodes(address: str) -> Iterator[Nodes]:
    """A cluster to build on; see `ray.connected`.

    Raises:
        StoreError: also where lance-ray is not installed, or the cluster goes away.
    """
    with connected(address) as ray:
        try:
            import lance_ray
        except ImportError as error:
            raise StoreError("`ray` takes lance-ray, which is not installed: pip install 'samepose[ray]'") from error
        try:
            gathered = Nodes(lance_ray, ray)
            try:
                yield gathered
            finally:
                gathered.let_go()
        except ray.exceptions.RayError as error:
            text = str(error).splitlines()[0][:200]
            raise StoreError(f"{address}: the cluster has lost what was at work ({text}); nothing is known to be lost "
                             "of the index: do the same again") from error
