"""A command replaces what it made itself, and nothing else."""

import json
from pathlib import Path

import pytest

from dpa.models.artefacts import (
    MARKER,
    NotOurs,
    claim,
    csv_of,
    json_lines_of,
    kind_of,
    require_our_file,
    require_ours,
)


def test_a_new_and_an_empty_folder_are_claimed_and_found_again(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/inside"):
        claim(tmp_path / name, "a cake")
        (tmp_path / name / "crumb").write_text("x")
        claim(tmp_path / name, "a cake")
        assert kind_of(tmp_path / name) == "a cake" and (tmp_path / name / "crumb").exists()


def test_a_folder_of_another_kind_is_not_claimed(tmp_path: Path) -> None:
    claim(tmp_path, "a cake")
    with pytest.raises(NotOurs, match="it holds a cake"):
        claim(tmp_path, "a pie", lambda _: True)
    assert kind_of(tmp_path) == "a cake"


def test_a_folder_with_other_things_in_it_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(NotOurs, match="not empty"):
        claim(tmp_path, "a cake")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unmarked_folder_of_an_earlier_version_is_claimed_by_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "cake.json").write_text("{}")
    claim(tmp_path, "a cake", lambda folder: (folder / "cake.json").is_file())
    assert kind_of(tmp_path) == "a cake"


@pytest.mark.parametrize(
    "marker",
    ["", "[]", "{", '{"kind": "a cake"}', '{"by": "dpa-engine", "kind": 3}', "[" * 4000, " " * 5000],
)
def test_a_marker_that_says_nothing_is_no_marker(tmp_path: Path, marker: str) -> None:
    (tmp_path / MARKER).write_text(marker)
    assert kind_of(tmp_path) is None
    with pytest.raises(NotOurs):
        require_ours(tmp_path, "a cake")


def test_a_marker_that_is_a_link_is_no_marker(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.json"
    real.write_text(json.dumps({"by": "dpa-engine", "kind": "a cake"}))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / MARKER).symlink_to(real)
    assert kind_of(tmp_path / "folder") is None


def test_a_file_in_a_folder_s_place_and_a_link_to_nowhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(NotOurs, match="no folder"):
            claim(tmp_path / name, "a cake")


def test_files_are_known_by_how_they_begin(tmp_path: Path) -> None:
    def jsonl(path: Path) -> bool:
        return json_lines_of(path, ("name", "reason"))

    def table(path: Path) -> bool:
        return csv_of(path, ("source", "index"))

    path = tmp_path / "list"
    require_our_file(path, "a list", jsonl)  # absent
    for text in ("", '{"name": "a", "reason": "b"}\n{'):
        path.write_text(text)
        require_our_file(path, "a list", jsonl)
    path.write_text("source,index,x\n1,2,3\n")
    require_our_file(path, "a table", table)
    for text in ('{"name": "a"}\n', "[1]\n", "years of work", "\udcff"):
        path.write_bytes(text.encode(errors="surrogateescape"))
        for ours in (jsonl, table):
            with pytest.raises(NotOurs):
                require_our_file(path, "a list", ours)
    with pytest.raises(NotOurs, match="folder"):
        require_our_file(tmp_path, "a list", lambda _: True)
