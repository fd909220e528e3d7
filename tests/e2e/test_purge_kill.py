"""test_purge_kill - a purge that is killed at any point, and the next one
SPDX-License-Identifier: ISC

A kill in the moment in which Dovecot writes a folder's log or its cache, as any
program that expunges does, costs that one: Dovecot says so when it next opens
the folder, and mends it.  Of the cache the ages are lost and begin anew, so that
mail stays.
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
from purging import (ANN, BOB, DAY, DUE, MAIL, PURGE, Imap, as_driver, clean,
                     line, pids_of, purge, report, rule, run, save,
                     set_policy, until)

__all__ = ["clean"]
USERS = [ANN, BOB]
ROUNDS, FOLDER = 8, 400         # mails
MENDED = re.compile("|".join([
    "Deleting corrupted cache: reset_id mismatch",
    "Corrupted index cache file .*: reset_id mismatch",
    "Unexpected garbage at EOF",
    "fscking index file", "Fixed index file"]))


TROUBLE = re.compile("Error|Warning")


class World:
    """Two users; in their folders what is due and what is not.  MIXED: in
    turns, so that only a full scan finds all."""

    def __init__(self, driver, path, mixed):
        self.driver, self.mended = driver, False
        self.kept, self.copy = set(), path / "mail"
        lines = []
        for user in USERS:
            for folder in ("Trash", "Spam"):
                for number in range(FOLDER):
                    due = (number % 5 != 0 if mixed
                           else number < FOLDER * 4 // 5)
                    lines.append(line(user, folder, 100 * DAY if due else DAY,
                                      f"{folder}.{number}"))
                    if not due:
                        self.kept.add((user, folder, f"{folder}.{number}"))
        set_policy(rule("Trash Spam", "92d"))
        for user in USERS:
            as_driver(user, driver)
        save(lines, "-A")
        report()
        self.all = self.mails()
        run("cp", "-a", str(MAIL), str(self.copy))
        self.due = len(self.all) - len(self.kept)
        start = time.monotonic()
        purge("-A")
        self.takes = time.monotonic() - start
        assert self.mails() == self.kept

    def restore(self):
        for home in MAIL.glob("*/*"):
            shutil.rmtree(home)
        run("cp", "-aT", str(self.copy), str(MAIL))
        DUE.unlink(missing_ok=True)

    def mails(self):
        """(user, folder, subject) of all mail, each of which is read."""
        ran = run("doveadm", "-f", "json", "fetch", "-A",
                  "user mailbox hdr.subject body", "all", check=False)
        said = [line for line in ran.stderr.splitlines()
                if not MENDED.search(line)]
        assert (ran.returncode, said) == (0, [])
        self.mended |= bool(ran.stderr)
        found = [(row["user"], row["mailbox"], row["hdr.subject"])
                 for row in json.loads(ran.stdout) if row["body"]]
        assert len(set(found)) == len(found)
        return set(found)

    def purge(self):
        """All that is due goes, without a word of trouble.  If the kill left
        half a record in a log, which a look does not mind, the first purge says
        so, Dovecot mends it, and the next one finishes."""
        first = subprocess.run([*PURGE, "-A"], text=True, capture_output=True,
                               stdin=subprocess.DEVNULL)
        if first.returncode == 75 and MENDED.search(first.stderr):
            self.mended = True
        else:
            assert first.returncode == 0, first
            assert not TROUBLE.search(first.stderr), first.stderr
        ran = purge("-A")
        assert "Error" not in ran.said and "Warning" not in ran.said, ran.said
        if self.mended:
            self.is_whole()
        else:
            assert self.mails() == self.kept

    def resync(self):
        """Nothing is wrong, though 2.4 always says what it does.  Of sdbox,
        where the index comes first, a file that was to be removed comes back,
        as after any other expunge that is killed; it is none that is kept."""
        ran = run("doveadm", "force-resync", "-A", "*")
        said = [line for line in ran.stderr.splitlines()
                if not line.endswith(": Rebuilding index")]
        assert said == []
        if self.driver == "sdbox" or self.mended:
            self.is_whole()
        else:
            assert self.mails() == self.kept

    def let_mend(self):
        """Dovecot opens all folders for the first time after a kill."""
        said = run("doveadm", "fetch", "-A", "uid", "all",
                   check=False).stderr
        assert not said or MENDED.search(said), said
        self.mended = bool(said)

    def count(self):
        """Files, some of which are mails."""
        return sum(len(files) for _, _, files in os.walk(MAIL))

    def wait(self, least, ended):
        """Until so many files have gone."""
        full = self.count()
        while not ended() and self.count() > full - least:
            pass

    def is_whole(self):
        """After a kill: what is not due is there, and nothing is new."""
        left = self.mails()
        assert self.kept <= left <= self.all
        return left


@pytest.fixture(params=["maildir", "sdbox"])
def driver(request):
    yield request.param
    for user in USERS:
        as_driver(user, "maildir")


@pytest.mark.parametrize("mixed", [False, True], ids=["sorted", "mixed"])
def test_killed_at_any_point(driver, tmp_path, mixed):
    world = World(driver, tmp_path, mixed)
    seed = random.randrange(10**6)
    dice, between, lost = random.Random(seed), 0, 0
    print("seed", seed)
    for number in range(ROUNDS):
        world.restore()
        process = subprocess.Popen([*PURGE, "-A"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        if number % 2:
            time.sleep(dice.uniform(0, world.takes))
        else:
            world.wait(dice.randrange(world.due),
                       lambda: process.poll() is not None)
        process.kill()
        process.wait()
        world.let_mend()
        left = world.is_whole()
        between += world.kept < left < world.all
        world.purge()
        world.resync()
        lost += world.mended
    print(f"{between} in the middle, {lost} mended by Dovecot")
    assert lost <= ROUNDS // 4
    assert between > 0, f"{ROUNDS} kills, and all too early or too late"


def test_killed_at_the_end_of_a_session(driver, tmp_path):
    """An imap process; the next session finishes."""
    world = World(driver, tmp_path, mixed=False)
    dice, between = random.Random(), 0
    for _ in range(ROUNDS):
        world.restore()
        client = Imap(ANN, "INBOX")
        pids = pids_of("imap")
        client.logout()
        world.wait(dice.randrange(world.due // len(USERS)),
                   lambda: not pids_of("imap"))
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until(lambda: not pids_of("imap"))
        world.let_mend()
        left = world.is_whole()
        between += world.kept < left < world.all
        Imap(ANN, "INBOX").logout()
        until(lambda: not pids_of("imap"))
        left = {one for one in world.is_whole() if one[0] == ANN}
        assert world.mended or left <= world.kept
    world.purge()
    world.resync()
