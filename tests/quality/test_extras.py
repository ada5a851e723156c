"""Without its extras the package is small, and says in one line what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ensemble_instruct.errors import UsageError
from ensemble_instruct.files.dataset import open_dataset


def test_parquet_without_pyarrow_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1 and more")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(
        "ensemble_instruct.files.parquet.find_spec", lambda name: None if name == "pyarrow" else object()
    )
    with pytest.raises(UsageError, match=r"ensemble-instruct\[parquet\]") as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
