"""Every peer, in its default settings and, where it has one, in a quicker or smaller setting.

Each may use all cores and its own caches, which are warm. All stores are folders on one disk.
"""

from __future__ import annotations

from versus.peer import Peer

GIT_HUB = """
git init -q --bare -b main "$STORE/hub"
git init -q -b main .
git remote add origin "file://$STORE/hub"
"""
GIT_PUBLISH = """
git commit -q -m "$STEP"
git tag "$STEP"
git push -q origin HEAD:main "$STEP"
"""
GIT_CLONE = 'git clone -q -b "$STEP" "file://$STORE/hub" "$OUT"\ncd "$OUT"\n'
GIT_IDENTITY = {
    "GIT_AUTHOR_NAME": "bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "gc.auto",  # else it starts a process that outlives the measurement
    "GIT_CONFIG_VALUE_0": "0",
    "GIT_CONFIG_KEY_1": "advice.detachedHead",
    "GIT_CONFIG_VALUE_1": "false",
}


def _restic(setting: str, note: str) -> Peer:
    compression = f"--compression {setting}"
    return Peer(
        "restic" if setting == "auto" else f"restic ({setting})",
        init="restic -q init",
        add=f'restic -q {compression} backup --tag "$STEP" "$FOLDER"',
        pull='restic -q restore latest --tag "$STEP" --target "$OUT"',
        durable=True,
        note=note,
        commands=("restic",),
        version="restic version",
        environment={"RESTIC_PASSWORD": "benchmark"},
    )


def _borg(name: str, compression: str, note: str) -> Peer:
    return Peer(
        name,
        init="borg init -e none",
        add=f'borg create --compression {compression} "::$STEP" "$FOLDER"',
        pull='mkdir "$OUT"\ncd "$OUT"\nborg extract "::$STEP"',
        durable=True,
        note=note,
        commands=("borg",),
        version="borg --version",
        environment={"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"},
    )


def _dvc(name: str, links: str, note: str) -> Peer:
    return Peer(
        name,
        init=f"""{GIT_HUB}
dvc init -q
dvc config cache.dir "$STORE/cache"
dvc config cache.type {links}
git add .dvc
git commit -q -m init""",
        add=f"""dvc add -q "$FOLDER"
git add "$FOLDER.dvc" .gitignore
{GIT_PUBLISH}""",
        pull=f'{GIT_CLONE}dvc checkout -q "$FOLDER.dvc"',
        durable=False,
        note=note,
        commands=("dvc", "git"),
        version="echo dvc $(dvc --version)",
        environment={"DVC_NO_ANALYTICS": "1", **GIT_IDENTITY},
    )


def _datacat(name: str, layout: str, note: str) -> Peer:
    return Peer(
        name,
        init=f'"$DATACAT" -q init "$STORE" --layout {layout}',
        add='"$DATACAT" -q add "$FOLDER"',
        pull='"$DATACAT" -q pull "$REF" -d "$OUT/$FOLDER"',
        durable=True,
        note=note,
        version='"$DATACAT" --version',
        environment={"DATACAT_USER": "bench"},
    )


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "cp",
            init="",
            add='mkdir "$STORE/$STEP"\ncp -a "$FOLDER" "$STORE/$STEP/"\nsync -f "$STORE"',
            pull='mkdir "$OUT"\ncp -a "$STORE/$STEP/$FOLDER" "$OUT/"',
            durable=True,
            note="`cp -a` and `sync -f` of the copy; a folder for each version",
            version="cp --version",
        ),
        _datacat("datacat", "auto", "as it is"),
        _datacat("datacat (whole)", "whole", "`init --layout whole`: each file in one piece"),
        Peer(
            "rsync",
            init="",
            add="""rsync -a --modify-window=-1 ${PREVIOUS:+"--link-dest=$STORE/$PREVIOUS/"} \\
    "$FOLDER" "$STORE/$STEP/"
sync -f "$STORE" """,
            pull='rsync -a "$STORE/$STEP/$FOLDER" "$OUT/"',
            durable=True,
            note="`--link-dest`: files as in the version before are hard links; times compared in"
            " nanoseconds; `sync -f`",
            commands=("rsync",),
            version="rsync --version",
        ),
        _restic("auto", "its default: compression auto; it always encrypts"),
        _restic("off", "no compression; it always encrypts"),
        _borg("borg", "lz4", "its default compression, lz4; not encrypted"),
        _borg("borg (zstd)", "zstd,1", "zstd level 1; not encrypted"),
        Peer(
            "hf-xet",
            init="",
            add='python "$VERSUS/drive_xet.py" add',
            pull='python "$VERSUS/drive_xet.py" pull',
            durable=False,
            note="the library, with a folder as its server; no SHA-256; a listing of"
            " each version beside",
            library="hf_xet",
            version='python -c "from importlib.metadata import version as v; '
            "print('hf-xet', v('hf-xet'))\"",
        ),
        Peer(
            "oxen",
            init='python "$VERSUS/drive_oxen.py" init',
            add='python "$VERSUS/drive_oxen.py" add',
            pull='python "$VERSUS/drive_oxen.py" pull',
            durable=False,
            note="the library `oxenai`; pull restores from the same repository",
            library="oxen",
            version='python -c "from importlib.metadata import version as v; '
            "print('oxen', v('oxenai'))\"",
        ),
        _dvc("dvc", "copy", "a shared cache on the same disk, files copied; git beside"),
        _dvc("dvc (links)", "hardlink", "the same cache, files are read-only hard links into it"),
        Peer(
            "git-lfs",
            init=f"""{GIT_HUB}
git lfs install --local
git config lfs.locksverify false
echo '*/** filter=lfs diff=lfs merge=lfs -text' > .gitattributes
git add .gitattributes
git commit -q -m init""",
            add=f'git add -A "$FOLDER"{GIT_PUBLISH}',
            pull=f'export GIT_LFS_SKIP_SMUDGE=1\n{GIT_CLONE}git lfs pull -I "$FOLDER"',
            durable=False,
            note="commit, and push to a folder; a second copy in the clone is not counted",
            commands=("git", "git-lfs"),
            version="git lfs version",
            environment=GIT_IDENTITY,
        ),
        Peer(
            "git-annex",
            init=f"""{GIT_HUB}
git -C "$STORE/hub" annex init -q hub
git annex init -q
git commit -q --allow-empty -m init""",
            add=f"""git annex add -q -Jcpus "$FOLDER"
git add -u "$FOLDER"
{GIT_PUBLISH}
git annex copy -q -Jcpus --to origin "$FOLDER"
git annex sync -q --no-pull --no-content""",
            pull=f'{GIT_CLONE}git annex init -q\ngit annex get -q -Jcpus "$FOLDER"',
            durable=False,
            note="all cores; copied to a folder; the copy in the clone is not counted",
            commands=("git", "git-annex"),
            version="git annex version",
            environment=GIT_IDENTITY,
        ),
        Peer(
            "DataLad",
            init=f"""{GIT_HUB}
git -C "$STORE/hub" annex init -q hub
datalad -l error create -f .""",
            add="""datalad -l error save -J 4 -m "$STEP" -t "$STEP" "$FOLDER"
datalad -l error push --to origin -J 4
git push -q origin "$STEP" """,
            pull=f'{GIT_CLONE}datalad -l error get -J 4 "$FOLDER"',
            durable=False,
            note="save, and push to a folder; four jobs; the copy in the clone is not counted",
            commands=("git", "git-annex", "datalad"),
            version="datalad --version",
            environment=GIT_IDENTITY,
        ),
    )
}
