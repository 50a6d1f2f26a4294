#!/usr/bin/env python3
"""Licences of what is linked into the program: `notices.py TRIPLE` prints a text for the packages.

Cargo's metadata say which crates go into a build for TRIPLE; each crate's folder holds its licence.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

NAMES = re.compile(r"(licen[cs]e|copying|notice|unlicense|ofl|ufl)", re.IGNORECASE)
TEXTS = ("", ".txt", ".md")
HEAD = """\
The program celaje holds the following works. Each stands under its own licence, named here by its
SPDX expression; the texts that their authors ship follow, each once. SQLite is in the public domain.
"""


def cargo(*args: str) -> str:
    command = ["cargo", args[0], "--locked", *args[1:]]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def linked(triple: str) -> list[dict]:
    """The packages that are linked into the program, without those that only build it."""
    tree = cargo("tree", "--edges=normal", "--target", triple, "--prefix=none", "--format={p}", "-p", "celaje")
    # A line is `name vVERSION`, with what cargo has to add about it behind.
    wanted = {tuple(line.split()[:2]) for line in tree.splitlines() if "(proc-macro)" not in line}
    meta = json.loads(cargo("metadata", "--format-version=1", "--filter-platform", triple))
    own = set(meta["workspace_members"])
    found = [
        package
        for package in meta["packages"]
        if package["id"] not in own and (package["name"], "v" + package["version"]) in wanted
    ]
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def texts(package: dict) -> list[str]:
    """The licence texts in a package's folder, and in the first folders below it."""
    folder = Path(package["manifest_path"]).parent
    files = [*folder.iterdir(), *(file for sub in folder.iterdir() if sub.is_dir() for file in sub.iterdir())]
    named = (f for f in files if NAMES.search(f.stem) and f.suffix.lower() in TEXTS and f.is_file())
    return [file.read_text("utf-8", "replace").strip() for file in sorted(named)]


def main() -> None:
    packages = linked(sys.argv[1])
    holders: dict[str, list[str]] = {}
    print(HEAD)
    for package in packages:
        name = f"{package['name']} {package['version']}"
        print(f"  {name}: {package['license'] or 'see below'}")
        for text in texts(package):
            # Texts that differ in their line breaks alone are one.
            key = " ".join(text.split())
            holders.setdefault(key, [text]).append(name)
    for text, *names in holders.values():
        print("\n" + "-" * 80 + "\n" + ", ".join(dict.fromkeys(names)) + "\n\n" + text)


if __name__ == "__main__":
    main()
