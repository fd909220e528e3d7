"""test_doctor - each ailment shows itself, alone, and its commands end it
SPDX-License-Identifier: ISC

Copies of the world's Postfix and Dovecot configuration, broken in one way; the
milter, its socket and the published policy are the world's own.
"""
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from e2e.test_policyd_smtp import Policyd

from conftest import POLICY, install
from test_cli import run
from world.dovecot import OURS, is_23
from world.postfix import until

IS_23 = is_23()
PUBLISHED = pathlib.Path("/var/lib/mailreeve/mailbox.conf")
DIRECTORY = pathlib.Path("/var/spool/postfix/mailreeve")
PATH = f"{DIRECTORY}/milter.sock"
SOCKET = "unix:mailreeve/milter.sock"
TIMES = "connect_timeout=5s, command_timeout=30s, content_timeout=60s"
OTHER = "inet:127.0.0.1:8891"
GUARDS = "permit_mynetworks, reject_unauth_destination"
SERVICE = "check_policy_service { unix:private/p, timeout=10s, " \
          "default_action=DUNNO }"
PURGE = "purge Spam {\n\tafter = 9w\n}\n"
RATE = "rate login {\n\trecipients = 99 / 1h\n}\n"
SCANNER = "scanner spam {\n\theader = X-Spam-Flag: YES\n}\n"
AUTOEXPUNGE = "namespace inbox {\n  mailbox Spam {\n    autoexpunge = 9d\n" \
              "  }\n}\n"


class Sick:
    """A world whose settings are broken; what of them is the test's own.

    main, master: for postconf -e and -P; dovecot: lines before ours; ours:
    instead of our lines; policy: more of it; policyd: it runs; do: anything
    else."""

    def __init__(self, main=(), master=(), dovecot="", ours=None, policy="",
                 policyd=False, do=None):
        self.main, self.master = main, master
        self.dovecot, self.ours = dovecot, ours
        self.policy, self.policyd, self.do = policy, policyd, do


def ours(action="tempfail", times=TIMES, socket=SOCKET):
    words = [socket, times, action and f"default_action={action}"]
    return "{ " + ", ".join(filter(None, words)) + " }"


def milters(*elements):
    return "smtpd_milters=" + ", ".join(elements)


def no_group_may_pass(_):
    os.chmod(DIRECTORY, 0o700)


def nobody_listens(world):
    world.milter.stop()


def not_loaded(_):
    """Changed a second after the milter read it."""
    until(lambda: loaded() < int(time.time()))
    install(POLICY.read_text() + "# changed\n")


def policyd_is_away(_):
    Policyd().stop()


def not_loaded_by_policyd(world):
    not_loaded(world)
    world.milter.kill(signal.SIGUSR1)
    until(lambda: loaded() >= int(POLICY.stat().st_mtime))


def loaded():
    """By the milter."""
    at = json.loads(run("status", "--json").stdout)["loaded"]
    return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


SICK = {
    "message_size_limit": [
        Sick(main=["message_size_limit=4000000"]),
        Sick(main=["message_size_limit=1000000", "mailbox_size_limit=2000000"]),
        Sick(master=["587/inet/message_size_limit=4000000"])],
    "mailbox_size_limit": [
        Sick(main=["mailbox_size_limit=1000"]),
        Sick(main=["virtual_mailbox_limit=1000"])],
    "milter_missing": [
        Sick(main=["smtpd_milters="]), Sick(main=[milters(OTHER)])],
    "milter_overridden": [
        Sick(master=["587/inet/smtpd_milters="]),
        Sick(master=[f"587/inet/smtpd_milters={OTHER}"])],
    "milter_local": [
        Sick(main=["non_smtpd_milters="]),
        Sick(main=[f"non_smtpd_milters={OTHER}"])],
    "no_milters": [
        Sick(main=["receive_override_options=no_milters"]),
        Sick(master=["26/inet/receive_override_options="
                     "no_milters,no_address_mappings"])],
    "milter_maps": [
        Sick(main=["smtpd_milter_maps=inline:{{192.0.2.9=DISABLE}}"])],
    "milter_order": [
        Sick(main=[milters(ours(), OTHER)], policy=SCANNER)],
    "default_action_loses": [
        Sick(main=[milters(ours("reject"))]),
        Sick(main=[milters(ours("")), "milter_default_action=tempfail"],
             master=["26/inet/milter_default_action=quarantine"])],
    "default_action_accepts": [
        Sick(main=[milters(ours("accept"), OTHER)])],
    "default_action_waits": [
        Sick(main=[milters(ours()), "non_smtpd_milters=$smtpd_milters"],
             policy="on_failure = accept\n")],
    "default_action_missing": [
        Sick(main=[milters(ours("")), "milter_default_action"])],
    "milter_timeout": [
        Sick(main=[milters(ours(times="command_timeout=8s"))]),
        Sick(main=[milters(ours(times="connect_timeout=1s"))]),
        Sick(main=[milters(SOCKET)],
             master=["26/inet/milter_content_timeout=7s"])],
    "socket_chroot": [
        Sick(main=[milters(ours(socket=f"unix:{PATH}"))])],
    "socket_permissions": [Sick(do=no_group_may_pass)],
    "socket_dead": [Sick(do=nobody_listens)],
    "policy_socket_dead": [
        Sick(policy=RATE, policyd=True, do=policyd_is_away)],
    "xclient": [
        Sick(main=["smtpd_authorized_xclient_hosts=203.0.113.0/24"]),
        Sick(master=["587/inet/smtpd_authorized_xclient_hosts="
                     "127.0.0.1,static:all"])],
    "soft_bounce": [Sick(main=["soft_bounce=yes"])],
    "policy_service_first": [
        Sick(main=[f"smtpd_relay_restrictions={SERVICE}, {GUARDS}"]),
        Sick(main=["smtpd_relay_restrictions=" +
                   SERVICE.replace("check_policy", "Check_Policy") +
                   ", " + GUARDS.replace("reject", "Reject")]),
        Sick(main=["smtpd_relay_restrictions=",
                   f"smtpd_recipient_restrictions={SERVICE}, {GUARDS}"]),
        Sick(main=[f"early={SERVICE}, {GUARDS}"],
             master=["26/inet/smtpd_relay_restrictions=$early"])],
    "policy_service_action": [
        Sick(main=["smtpd_data_restrictions=check_policy_service "
                   "{ unix:private/p, timeout=10s }"])],
    "policy_service_timeout": [
        Sick(main=["smtpd_policy_service_default_action=DUNNO",
                   "smtpd_end_of_data_restrictions="
                   "check_policy_service unix:private/p"])],
    "quota_root": [
        Sick(dovecot="plugin {\n  quota2 = count:Other  # old\n}\n" if IS_23
             else "quota other {\n  driver = count\n}\n"),
        Sick(dovecot="protocol lmtp {\n  plugin {\n    quota = count:x\n  }\n}\n"
             if IS_23 else 'quota "Other one" {\n}\n')],
    "quota_limit": [
        Sick(dovecot="plugin {\n  quota_rule = *:storage=1G\n}\n" if IS_23
             else "quota_storage_size = 1G\n"),
        Sick(dovecot="plugin {\n  quota_rule2=?:bytes=5\n}\n" if IS_23
             else "protocol imap {\n  quota_storage_size = 1G\n}\n")],
    "autoexpunge": [Sick(dovecot=AUTOEXPUNGE, policy=PURGE)],
    "plugin_missing": [
        Sick(ours="quota_full_tempfail = yes\n"),
        Sick(ours="quota_full_tempfail = yes\nprotocol lmtp {\n"
             "  mail_plugins = quota\n}\n")],
    "full_mailbox": [
        Sick(ours=lambda lines: lines + "quota_full_tempfail = no\n")],
    "published": [
        Sick(do=lambda _: PUBLISHED.write_text("# Somewhat older\n")),
        Sick(do=lambda _: PUBLISHED.unlink())],
    "milter_policy": [Sick(do=not_loaded)],
    "policyd_policy": [
        Sick(policy=RATE, policyd=True, do=not_loaded_by_policyd)],
}


class World:
    """The copies.  Commands find them by the programs' own variables."""

    def __init__(self, directory, milter, lines):
        self.milter = milter
        self.postfix = directory / "postfix"
        shutil.copytree("/etc/postfix", self.postfix, symlinks=True)
        self.dovecot = directory / "dovecot"
        shutil.copytree("/etc/dovecot", self.dovecot, symlinks=True)
        local = self.dovecot / "local.conf"
        self.local = self.dovecot / "conf.d/98-local.conf"
        self.local.write_text(local.read_text().split(OURS.rstrip())[0])
        local.unlink()
        self.ours = self.dovecot / "conf.d/99-mailreeve.conf"
        self.ours.write_text(lines)
        self.environment = os.environ | {
            "MAIL_CONFIG": str(self.postfix),
            "CONFIG_FILE": str(self.dovecot / "dovecot.conf"),
            "PATH": f"{directory}:{os.environ['PATH']}"}
        # stands for systemd, which the world has not
        systemctl = directory / "systemctl"
        systemctl.write_text('#!/bin/sh\n[ "$1" = start ] && '
                             'exec env -u MAIL_CONFIG "$2" -d >/dev/null 2>&1'
                             "\n")
        systemctl.chmod(0o755)

    def settle(self):
        """Postfix waits while a file is only seconds old."""
        for name in ("main.cf", "master.cf"):
            os.utime(self.postfix / name, (0, 0))

    def shell(self, commands):
        ran = subprocess.run(["sh", "-e", "-c", commands], text=True,
                             capture_output=True, env=self.environment,
                             stdin=subprocess.DEVNULL, timeout=60)
        assert ran.returncode == 0, (commands, ran)
        self.settle()
        return ran.stdout

    def doctor(self, *args, status):
        return run("doctor", *args, status=status, env=self.environment)

    def complaints(self, status=1):
        found = json.loads(self.doctor("--json", status=status).stdout)
        assert found["could_not_look"] == []
        return found["complaints"]

    def break_it(self, sick):
        for setting in sick.main:
            flag = "-e" if "=" in setting else "-X"
            subprocess.run(["postconf", flag, setting], check=True,
                           env=self.environment)
            self.settle()
        for setting in sick.master:
            subprocess.run(["postconf", "-P", setting], check=True,
                           env=self.environment)
        if isinstance(sick.ours, str):
            self.ours.write_text(sick.ours)
        elif sick.ours:
            self.ours.write_text(sick.ours(self.ours.read_text()))
        self.local.write_text(self.local.read_text() + sick.dovecot)
        if sick.do:
            sick.do(self)
        self.settle()


@pytest.fixture(scope="module")
def lines():
    """Ours, as the world itself has them."""
    return pathlib.Path("/etc/dovecot/local.conf").read_text().split(OURS)[1]


@pytest.fixture
def world(tmp_path, milter, lines):
    mode = DIRECTORY.stat().st_mode & 0o7777
    before = POLICY.read_text()
    yield World(tmp_path, milter, lines)
    os.chmod(DIRECTORY, mode)
    if POLICY.read_text() != before or not PUBLISHED.exists():
        install(before)
        run("reload")


@pytest.fixture
def policyd():
    Policyd().start()
    yield
    Policyd().stop()


@pytest.mark.parametrize("name, sick", [
    pytest.param(name, sick, id=f"{name}-{i}") for name, all_sick in
    SICK.items() for i, sick in enumerate(all_sick)])
def test_ailment(name, sick, world, request):
    if sick.policyd:
        request.getfixturevalue("policyd")
    if sick.policy:
        change = request.getfixturevalue("policy")
        change(sick.policy + POLICY.read_text())
    world.break_it(sick)
    complaints = world.complaints()
    assert {one["name"] for one in complaints} == {name}, complaints
    for one in complaints:
        assert one["why"].endswith(".") and one["where"]
        world.shell(one["commands"])
    assert world.complaints(status=0) == []


def test_every_ailment_is_here(world):
    names = world.doctor("--names", status=0).stdout.splitlines()
    assert [line.split()[0] for line in names] == list(SICK)


def test_the_world_is_well():
    """As `mailreeve setup' made it, and nothing else."""
    assert run("doctor").stdout == "nothing found\n"
    assert json.loads(run("doctor", "--json").stdout) == {
        "complaints": [], "could_not_look": []}


def test_setup_agrees(world):
    """Its lines end whatever is wrong in main.cf."""
    world.break_it(Sick(main=["message_size_limit=9", "mailbox_size_limit=5",
                              "virtual_mailbox_limit=5", milters(SOCKET, OTHER),
                              "non_smtpd_milters=", "milter_default_action",
                              "milter_command_timeout=2s"]))
    assert {one["name"] for one in world.complaints()} == {
        "message_size_limit", "milter_local", "default_action_missing",
        "milter_timeout"}
    world.shell("mailreeve setup postfix --main-cf | xargs -d '\\n' postconf -e")
    assert world.complaints(status=0) == []


def test_in_words(world):
    world.break_it(Sick(main=["soft_bounce=yes"]))
    text = world.doctor(status=1).stdout
    assert text.startswith("advice: soft_bounce\n"
                           f"  {world.postfix}/main.cf: soft_bounce = yes\n")
    assert "\n    postconf -X soft_bounce\n" in text


def test_a_scanner_stays_in_front(world, policy):
    """Our place behind it is kept when the list has to be mended."""
    policy(SCANNER + POLICY.read_text())
    world.break_it(Sick(main=[milters(OTHER, ours("reject"), "inet:[::1]:9")]))
    [one] = world.complaints()
    world.shell(one["commands"])
    assert world.complaints(status=0) == []
    said = world.shell("postconf -h smtpd_milters").strip()
    assert said == f"{OTHER}, {ours()}, inet:[::1]:9"


def test_ours_by_another_parameter(world):
    world.break_it(Sick(main=[f"mine={ours()}", "smtpd_milters=$mine",
                              "non_smtpd_milters=$smtpd_milters"]))
    assert world.complaints(status=0) == []


def test_a_socket_that_the_chroot_has_not(world, policy, tmp_path):
    """Nothing leads there, so the services have to leave the chroot."""
    elsewhere = "milter {\n\tsocket = unix:/run/mailreeve/other.sock\n}\n"
    path = tmp_path / "elsewhere.conf"
    path.write_text(elsewhere + POLICY.read_text())
    world.shell(f"mailreeve setup postfix --main-cf -c {path} |"
                " xargs -d '\\n' postconf -e")
    found = json.loads(world.doctor("--json", "-c", path, status=1).stdout)
    cures = [one["commands"] for one in found["complaints"]
             if one["name"] == "socket_chroot"]
    assert len(cures) == 2 and all("postconf -F '" in cure for cure in cures)
    world.shell("\n".join(cures))
    left = json.loads(world.doctor("--json", "-c", path, status=1).stdout)
    assert "socket_chroot" not in {c["name"] for c in left["complaints"]}


def test_what_is_inside_is_not_outside(world, policy):
    """Where a content filter gives mail back, only this machine comes, and we
    have seen the mail; but not the header of the scanner that it is."""
    with open(world.postfix / "master.cf", "a") as master:
        master.write("127.0.0.1:10025 inet n - y - - smtpd\n"
                     "  -o smtpd_milters=\n"
                     "  -o receive_override_options=no_milters\n"
                     "  -o smtpd_authorized_xclient_hosts=127.0.0.0/8\n")
    world.settle()
    assert world.complaints(status=0) == []
    policy("scanner spam {\n\theader = X-Spam-Flag: YES\n"
           "\ttrust = reinjected 127.0.0.1:10025\n}\n" + POLICY.read_text())
    complaints = world.complaints()
    assert [one["name"] for one in complaints] == ["milter_overridden",
                                                   "no_milters"]
    world.shell("\n".join(one["commands"] for one in complaints))
    assert world.complaints(status=0) == []


@pytest.mark.parametrize("variable, what", [("MAIL_CONFIG", "Postfix"),
                                            ("CONFIG_FILE", "Dovecot")])
def test_what_cannot_be_looked_at_is_said(world, variable, what):
    world.environment[variable] = "/nowhere"
    text = world.doctor(status=75).stdout
    assert text.startswith(f"could not look at {what}: ")
    assert text.endswith("\nnothing found in the rest\n")
    # what is found counts for more
    PUBLISHED.unlink()
    found = json.loads(world.doctor("--json", status=1).stdout)
    assert [one["what"] for one in found["could_not_look"]] == [what]
    assert [one["name"] for one in found["complaints"]] == ["published"]
