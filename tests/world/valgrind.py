"""valgrind - Dovecot's programs under valgrind's memcheck
SPDX-License-Identifier: ISC

    with wrapped("imap", "lmtp"):       # those that Dovecot's master starts
        ...
    under("doveadm", "mailreeve", "show", "-u", user)
    wrong, programs = complaints()
"""
import contextlib
import glob
import os
import pathlib
import shutil
import subprocess
import xml.etree.ElementTree

from world.postfix import until

# one file for each process; who changes his user must not need another
REPORTS = pathlib.Path("/tmp/valgrind")
OPTIONS = ["--leak-check=full", "--show-leak-kinds=definite,indirect",
           "--errors-for-leak-kinds=definite,indirect",
           "--num-callers=30", "--child-silent-after-fork=yes", "--vgdb=no",
           "--keep-debuginfo=yes", "--xml=yes",
           f"--xml-file={REPORTS}/%p.xml"]
LIBEXEC = pathlib.Path("/usr/lib/dovecot")
ASIDE = LIBEXEC / "without-valgrind"
# leaks of Dovecot's own, without any plugin: a program, a function
DOVECOTS = {("pop3", "client_init_mailbox")}    # 2.4.1


def prepare():
    REPORTS.mkdir(exist_ok=True)
    for file in REPORTS.iterdir():
        file.unlink()


@contextlib.contextmanager
def wrapped(*names):
    """a higher default_vsz_limit is yours, and a restart before and behind."""
    ASIDE.mkdir()
    for name in names:
        shutil.move(LIBEXEC / name, ASIDE)
        script = LIBEXEC / name
        script.write_text("#!/bin/sh\nexec valgrind "
                          f"{' '.join(OPTIONS)} {ASIDE / name} \"$@\"\n")
        script.chmod(0o755)
    try:
        yield
    finally:
        for name in names:
            shutil.move(ASIDE / name, LIBEXEC / name)
        ASIDE.rmdir()


def under(*command, **how):
    """subprocess.run(COMMAND) under valgrind, its output as text."""
    how = {"stdin": subprocess.DEVNULL, "text": True, **how}
    return subprocess.run(["valgrind", *OPTIONS, *command],
                          capture_output=True, timeout=300, **how)


def running():
    """The processes under valgrind."""
    found = []
    for exe in glob.glob("/proc/[0-9]*/exe"):
        with contextlib.suppress(OSError):
            if "/memcheck-" in os.readlink(exe):
                found.append(exe)
    return found


def describe(error):
    lines = [error.findtext("kind") + ": " + (
        error.findtext("what") or error.findtext("xwhat/text"))]
    for frame in error.iterfind("stack/frame"):
        name = os.path.basename(frame.findtext("obj") or "?")
        lines.append(f"    {frame.findtext('fn') or '?'} ({name})")
    return "\n".join(lines)


def is_dovecots(name, error):
    return any((name, fn.text) in DOVECOTS
               for fn in error.iterfind("stack/frame/fn"))


def complaints():
    """(what is wrong, names of the programs), when all have ended."""
    until(lambda: not running(), 60)
    wrong, programs = [], set()
    for file in sorted(REPORTS.glob("*.xml")):
        tree = xml.etree.ElementTree.parse(file)
        name = os.path.basename(tree.findtext("args/argv/exe"))
        programs.add(name)
        wrong += [f"{name}: {describe(error)}"
                  for error in tree.iterfind("error")
                  if not is_dovecots(name, error)]
    return wrong, programs
