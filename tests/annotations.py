"""Annotations are checked while the tests run: types by beartype, axes and dtypes of arrays by jaxtyping.

A plugin of pytest: PYTHONPATH=tests python -m pytest -p annotations
"""

from __future__ import annotations

from pathlib import Path

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

SOURCE = Path(__file__).parents[1] / "src"
checker = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int will do for a float


def pytest_configure() -> None:
    """Before anything of samepose is imported; numba compiles no wrapped function, so its modules stay as they are."""
    files = [file for file in (SOURCE / "samepose").rglob("*.py") if file.name != "__init__.py"]
    plain = (file for file in files if "from numba import" not in file.read_text("utf-8"))
    install_import_hook([".".join(file.relative_to(SOURCE).with_suffix("").parts) for file in plain],
                        "annotations.checker")
