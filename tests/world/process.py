"""process - what a process holds, by /proc
SPDX-License-Identifier: ISC
"""
import glob
import os
import pathlib
import re


def memory(pid):
    """KB of its own: RssAnon, without files and what is shared."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s*(\d+)", text)[1])


def files(pid):
    """The paths that it has open."""
    found = []
    for link in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            found.append(os.readlink(link))
        except FileNotFoundError:           # it has just closed it
            pass
    return found


def has_sanitizer(pid):
    """ASan keeps what was freed, so that memory tells nothing."""
    return "libasan" in pathlib.Path(f"/proc/{pid}/maps").read_text()
