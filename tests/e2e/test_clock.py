"""test_clock - `mailreeve clock' keeps the mark without which nothing is purged
SPDX-License-Identifier: ISC

The clock stays where it is; what differs is the mark, in a directory of its
own.  What the kernel says of NTP is this machine's affair, so a filter answers
for it: "synchronised", or "you must not ask".
"""
import ctypes
import errno
import os
import pathlib
import platform
import shutil
import stat
import struct
import subprocess
import tempfile
import time

import pytest

PROGRAM = os.environ.get("MAILREEVE", "mailreeve")
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
OTHER_ID = BOOT_ID[:-1] + ("0" if BOOT_ID[-1] != "0" else "1")
HOUR, DAY = 3600, 86400
BROKEN = ["", "1\n", "soon\n", f"1 -5 5 {BOOT_ID}\n", f"1 5 5 {BOOT_ID}",
          f"2 5 5 {BOOT_ID}\n", f"1 5 5 {BOOT_ID}\n" * 2, "\0" * 9999]
SAY_SO = "if the host's clock is right, run: mailreeve clock --clock-ok"

# adjtimex and clock_adjtime
CALLS = {"x86_64": (159, 305), "aarch64": (171, 266)}.get(platform.machine())


def answer(error):
    """For this process and what it becomes: the answer to those calls."""
    libc = ctypes.CDLL(None, use_errno=True)
    load, equal, give = 0x20, 0x15, 0x06
    code = b"".join(struct.pack("HBBI", *step) for step in (
        (load, 0, 0, 0),
        (equal, 1, 0, CALLS[0]),
        (equal, 0, 1, CALLS[1]),
        (give, 0, 0, 0x00050000 | error),       # SECCOMP_RET_ERRNO
        (give, 0, 0, 0x7fff0000)))              # SECCOMP_RET_ALLOW
    text = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(text))
    if (libc.prctl(38, 1, 0, 0, 0) or
            libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0)):
        raise OSError(ctypes.get_errno(), "prctl")


class Clock:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="clock-"))
        self.directory.chmod(0o755)
        self.mark = self.directory / "clock"

    def __call__(self, *args, status=0, ntp=False, **how):
        ran = subprocess.run(
            [PROGRAM, "clock", "--state-dir", str(self.directory), *args],
            text=True, capture_output=True, stdin=subprocess.DEVNULL,
            timeout=60, env=os.environ | {"TZ": "UTC"},
            preexec_fn=lambda: answer(0 if ntp else errno.EPERM), **how)
        assert ran.returncode == status, ran
        return ran

    def write(self, behind, counted=None, boot_id=BOOT_ID):
        """A mark of `behind` seconds ago, after which CLOCK_BOOTTIME has
        counted `counted`, by default as many."""
        counted = behind if counted is None else counted
        wall = int(time.time()) - behind
        boottime = int(time.clock_gettime(time.CLOCK_BOOTTIME)) - counted
        # a world that has just been started has no past
        if boottime < 0:
            wall, boottime = wall - boottime, 0
        self.mark.write_text(f"1 {wall} {boottime} {boot_id}\n")
        return self.mark.read_text()

    def age(self):
        """Of the mark, which must be a good one of this start."""
        number, wall, boottime, boot_id = self.mark.read_text().split()
        assert (number, boot_id) == ("1", BOOT_ID)
        since = time.clock_gettime(time.CLOCK_BOOTTIME) - int(boottime)
        assert 0 <= since < 60
        return time.time() - int(wall)

    def has_moved(self):
        assert 0 <= self.age() < 60
        assert os.listdir(self.directory) == ["clock"]
        return True


@pytest.fixture
def clock():
    if CALLS is None:
        pytest.skip("the numbers of its system calls are not known here")
    clock = Clock()
    yield clock
    shutil.rmtree(clock.directory)


def rows(text):
    return {name: value.strip() for name, value in
            (line.split("  ", 1) for line in text.splitlines())}


def date(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime(seconds))


# --- without an option --------------------------------------------------------

def test_no_mark(clock):
    ran = clock(status=1)
    shown = rows(ran.stdout)
    assert list(shown) == ["mark", "clock", "difference", "synchronised",
                           "purges"]
    assert (shown["mark"], shown["difference"]) == ("none", "-")
    assert shown["purges"] == "stand still"
    assert "mailreeve clock --advance" in ran.stderr
    assert os.listdir(clock.directory) == []


@pytest.mark.parametrize("behind, difference, near", [
    # with some minutes more, as clocks go on
    (2 * HOUR + 90, "2 h 1 min after", True),
    (-2 * HOUR - 90, "2 h 1 min before", True),
    (47 * HOUR + 90, "1 day 23 h after", True),
    (-47 * HOUR - 90, "1 day 23 h before", True),
    (49 * HOUR + 90, "2 days 1 h after", False),
    (-49 * HOUR - 90, "2 days 1 h before", False),
    (92 * DAY + 90, "92 days after the mark", False),
])
def test_the_mark_is_near_or_not(clock, behind, difference, near):
    text = clock.write(behind, counted=0)
    shown = rows(clock(status=0 if near else 1).stdout)
    assert shown["mark"] == date(int(text.split()[1]))
    assert shown["difference"].startswith(difference), shown
    assert shown["purges"] == ("may run" if near else "stand still")
    assert clock.mark.read_text() == text


def test_what_the_kernel_says_of_ntp(clock):
    clock.write(60)
    assert rows(clock(ntp=True).stdout)["synchronised"] == "yes"
    assert rows(clock().stdout)["synchronised"] == (
        "cannot be found out: Operation not permitted")
    ran = subprocess.run(
        [PROGRAM, "clock", "--state-dir", str(clock.directory)],
        text=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert rows(ran.stdout)["synchronised"] in ("yes", "no")


def test_what_would_be_refused_is_shown(clock):
    clock.write(92 * DAY + HOUR, counted=0)
    ran = clock(status=1)
    assert "moved forwards by 92 days" in ran.stderr and SAY_SO in ran.stderr
    ran = clock(status=1, ntp=True)
    assert "the mark may move to now" in ran.stderr


# --- --advance ----------------------------------------------------------------

def test_the_first_mark(clock):
    ran = clock("--advance")
    assert clock.has_moved()
    assert "before: none" in ran.stdout
    assert "make sure that the clock is right" in ran.stderr
    assert stat.S_IMODE(clock.mark.stat().st_mode) == 0o644
    assert rows(clock().stdout)["purges"] == "may run"


def test_boottime_explains(clock):
    # as many hours as this machine has been up, but 5 min
    clock.write(HOUR + 300, counted=HOUR)
    before = clock.mark.stat().st_ino
    ran = clock("--advance")
    assert clock.has_moved() and ran.stderr == ""
    assert clock.mark.stat().st_ino != before


def test_ntp_explains(clock):
    for behind, boot_id in ((92 * DAY, BOOT_ID), (-92 * DAY, BOOT_ID),
                            (DAY, OTHER_ID)):
        clock.write(behind, counted=0, boot_id=boot_id)
        assert clock("--advance", ntp=True).stderr == ""
        assert clock.has_moved()


@pytest.mark.parametrize("behind, said, near", [
    (1230, "moved forwards by 20 min ", True),
    (-1230, "moved back by 20 min ", True),
    (47 * HOUR + 90, "moved forwards by 1 day 23 h", True),
    (92 * DAY + 90, "moved forwards by 92 days since", False),
    (-92 * DAY - 90, "moved back by 92 days since", False),
])
def test_a_step_that_nothing_explains(clock, behind, said, near):
    text = clock.write(behind, counted=0)
    ran = clock("--advance", status=0 if near else 1)
    assert said in ran.stderr and SAY_SO in ran.stderr
    assert "the mark stays" in ran.stderr and ran.stdout == ""
    until = date(int(text.split()[1]) + 2 * DAY)
    assert (f"purges go on until {until}: " if near
            else "purges stand still: ") in ran.stderr
    assert clock.mark.read_text() == text


@pytest.mark.parametrize("behind, near", [(60, True), (3 * DAY, False)])
def test_after_a_restart(clock, behind, near):
    text = clock.write(behind, counted=0, boot_id=OTHER_ID)
    ran = clock("--advance", status=0 if near else 1)
    assert "the host was restarted" in ran.stderr and SAY_SO in ran.stderr
    assert clock.mark.read_text() == text


@pytest.mark.parametrize("ntp", [False, True])
@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_mark_is_not_the_first(clock, text, ntp):
    clock.mark.write_text(text)
    assert rows(clock(status=1, ntp=ntp).stdout)["mark"] == "unreadable"
    ran = clock("--advance", status=1, ntp=ntp)
    assert "does not hold a mark" in ran.stderr and SAY_SO in ran.stderr
    assert clock.mark.read_text() == text
    assert "before: unreadable" in clock("--clock-ok", ntp=ntp).stdout
    assert clock.has_moved()


# --- --clock-ok ---------------------------------------------------------------

@pytest.mark.parametrize("behind, boot_id", [
    (92 * DAY, BOOT_ID), (-92 * DAY, BOOT_ID), (DAY, OTHER_ID)])
def test_root_says_that_the_clock_is_right(clock, behind, boot_id):
    text = clock.write(behind, counted=0, boot_id=boot_id)
    ran = clock("--clock-ok")
    assert f"before: {date(int(text.split()[1]))}" in ran.stdout
    assert ran.stderr == "" and clock.has_moved()
    assert clock("--advance").stderr == "" and clock.has_moved()


def test_without_a_mark_too(clock):
    assert clock("--clock-ok").stderr == "" and clock.has_moved()


# --- a directory that is not as it should be ----------------------------------

@pytest.mark.parametrize("option", ["--advance", "--clock-ok"])
def test_who_may_not_write(clock, option):
    text = clock.write(60)
    ran = clock(option, status=75, user="nobody", extra_groups=[])
    assert f"cannot write the mark: {clock.directory}: Permission" in ran.stderr
    assert "Only root may write it." in ran.stderr
    assert "nothing was changed" in ran.stderr and ran.stdout == ""
    assert clock.mark.read_text() == text
    clock(user="nobody", extra_groups=[])       # but everybody may look


@pytest.mark.parametrize("option", ["--advance", "--clock-ok"])
def test_no_directory(clock, option):
    missing = clock.directory / "missing"
    ran = clock("--state-dir", str(missing), option, status=75)
    assert f"cannot write the mark: {missing}: No such file" in ran.stderr


def test_a_mark_that_is_no_file(clock):
    """Not followed, and nobody waits for it: the directory is not root's."""
    aside = clock.directory / "aside"
    clock.write(60)
    clock.mark.rename(aside)
    clock.mark.symlink_to(aside)
    assert f"{clock.mark}: " in clock(status=75).stderr
    clock.mark.unlink()
    os.mkfifo(clock.mark)
    for args in ((), ("--advance",)):
        assert f"{clock.mark}: " in clock(*args, status=75).stderr
    aside.unlink()


# --- usage --------------------------------------------------------------------

@pytest.mark.parametrize("args, said", [
    (["--advance", "--clock-ok"], "exclude each other"),
    (["--clock-okay"], 'did you mean "clock-ok"?'),
    (["now"], '"now" is one operand too many'),
])
def test_wrong_usage(clock, args, said):
    ran = clock(*args, status=2)
    assert said in ran.stderr and ran.stdout == ""
    assert os.listdir(clock.directory) == []
