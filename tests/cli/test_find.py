"""`datacat ls --files QUERY` in a pipe and on a terminal."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Person


def test_which_versions_have_a_file(alice: Person, store: Path) -> None:
    folder = alice.make("cmr", {"labels.csv": "a", "sub\x1b[31m/mask.nii": "1"})
    for text in ("a", "b", "c"):
        (folder / "labels.csv").write_text(text)
        alice.run("add", str(folder))
    found = alice.run("ls", "--files", "mask")
    header, row = found.out.splitlines()
    assert header == "VERSIONS\tPATH\tBYTES\tHASH"
    assert row.split("\t")[:3] == ["cmr@v1,cmr@v2,cmr@v3", "sub\\x1b[31m/mask.nii", "1"]
    documents = alice.run("--json", "ls", "--files", "labels*").json
    assert [one["refs"] for one in documents] == [["cmr@v1"], ["cmr@v2"], ["cmr@v3"]]
    assert set(documents[0]) == {"name", "path", "bytes", "hash", "kind", "refs"}
    assert alice.run("-q", "ls", "--files", documents[1]["hash"][:8]).out == "cmr@v2/labels.csv\n"
    with alice.on_terminal("ls", "--files", "MASK") as terminal:
        assert terminal.finish() == 0
    assert terminal.text == "      1 B  cmr@v1 to v3  sub\\x1b[31m/mask.nii\n"
    nothing = alice.run("ls", "--files", "nothing")
    assert (nothing.out, nothing.err) == ("", "No file of any version matches 'nothing'.\n")
    assert alice.run("--json", "ls", "--files", "nothing").json == []
    assert alice.run("ls", "--files", "cmr@v2").out.startswith("PATH\tBYTES\tHASH\n")
    assert alice.run("ls", "--files", "cmr@v9", code=3).err.startswith("Error: cmr has no v9")
