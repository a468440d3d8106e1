#!/usr/bin/env bash
# Install the tools that `peers.py` measures: what the system's packages have, as root, and what pip
# has, into the environment that is named. What cannot be had is said and left out.
#
#   benchmarks/install_peers.sh .venv-peers
set -uo pipefail
venv=${1:?name an environment, such as .venv-peers}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null
    for package in git git-lfs rsync restic borgbackup; do
        apt-get install -qq -y --no-install-recommends "$package" >/dev/null ||
            echo "left out: $package"
    done
else
    echo "not root, or no apt-get: git, git-lfs, rsync, restic and borg are used if they are there"
fi

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
for package in dvc datalad git-annex oxenai hf-xet; do
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$package" ||
        echo "left out: $package"
done
