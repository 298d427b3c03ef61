"""Annotations are checked while the tests run: types by beartype, axes and dtypes of arrays by jaxtyping.

`conftest.py` imports this before anything of samepose: what is imported earlier is not checked. JAXTYPING_DISABLE=1
turns it off. Not checked are

- the modules of numba, which compiles no wrapped function;
- names imported under TYPE_CHECKING, which nobody knows at run time, and whole unions with one of them;
- of a list or dictionary all but its first item;
- other processes that a test starts.
"""

from __future__ import annotations

from pathlib import Path

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"
# An int will do for a float. Items drawn at random would make failures come and go, and upset hypothesis.
checker = beartype(conf=BeartypeConf(is_pep484_tower=True, is_random=False))


def checked_modules() -> list[str]:
    """The name of a package takes in all that lies in it, so one that has modules of numba in it is left out."""
    files = list((SOURCE / "samepose").rglob("*.py"))
    compiled = {file for file in files if "from numba import" in file.read_text("utf-8")}
    packages = {folder for file in compiled for folder in file.parents}
    names = [file.parent if file.name == "__init__.py" else file.with_suffix("")
             for file in files if file not in compiled and (file.name != "__init__.py" or file.parent not in packages)]
    return [".".join(name.relative_to(SOURCE).parts) for name in names]


install_import_hook(checked_modules(), "annotations.checker")
