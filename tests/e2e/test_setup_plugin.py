"""test_setup_plugin - `mailreeve setup dovecot' lets the plugin in, or says why not
SPDX-License-Identifier: ISC

The installed Dovecot reads the lines behind the distribution's own files.
Where the plugin is not installed an empty file stands for it: nothing of it is
asked here but that it is there.
"""
import itertools
import os
import pathlib
import shutil
import subprocess

import pytest

from milterd import POLICY
from test_cli import PROGRAM, policy, run                               # noqa: F401

MODULES = pathlib.Path("/usr/lib/dovecot/modules")
MODULE = "lib96_mailreeve_plugin.so"
PURGE = POLICY + """\
purge \\Trash Spam Old/* {
	after = 92d
}
domain npo.example {
	purge Virus {
		after = 14d
	}
}
"""
EVERYTHING = POLICY + "purge * {\n\tafter = 92d\n}\n"


def version():
    if not shutil.which("dovecot", path="/usr/sbin"):
        return None
    return subprocess.run(["/usr/sbin/dovecot", "--version"], text=True,
                          capture_output=True, check=True).stdout[:3]


VERSION = version()
pytestmark = pytest.mark.skipif(VERSION is None, reason="Dovecot is not here")
only_2_3 = pytest.mark.skipif(VERSION != "2.3", reason="for Dovecot 2.3")
only_2_4 = pytest.mark.skipif(VERSION == "2.3", reason="for Dovecot 2.4")


class Dovecot:
    """Debian's files with lines behind them, and modules of its own."""

    def __init__(self, directory):
        self.modules = directory / "modules"
        self.modules.mkdir()
        for module in MODULES.iterdir():
            (self.modules / module.name).symlink_to(module)
        self.plugin = self.modules / MODULE
        if not self.plugin.exists():
            self.plugin.touch()
        self.config = directory / "dovecot.conf"
        base = pathlib.Path("/etc/dovecot/dovecot.conf").read_text()
        self.config.write_text(
            base.replace("!include conf.d", "!include /etc/dovecot/conf.d")
            .replace("!include_try local", "#")
            + f"\nmail_plugin_dir = {self.modules}\nssl = no\n")
        self.environment = os.environ | {"CONFIG_FILE": str(self.config)}

    def append(self, text):
        with open(self.config, "a") as file:
            file.write(text)

    def setup(self, path, *args, **how):
        return run("setup", "dovecot", "-c", path, *args,
                   env=self.environment, **how)

    def ask(self, *args):
        ran = subprocess.run(["doveconf", "-c", self.config, *args], text=True,
                             capture_output=True, stdin=subprocess.DEVNULL)
        assert ran.returncode == 0, ran.stderr
        return " ".join(ran.stdout.split())

    def plugins(self, protocol):
        """Of 2.3; doveconf of 2.4 does not merge the lists."""
        return self.ask("-h", "-f", f"protocol={protocol}",
                        "mail_plugins").split()

    def loads(self):
        """The modules that doveadm loads, or tries to."""
        ran = subprocess.run(["doveadm", "-D", "-c", self.config, "mailbox",
                              "list", "-u", "nobody@nowhere.example"],
                             text=True, capture_output=True, timeout=60,
                             stdin=subprocess.DEVNULL)
        return ran.stderr


@pytest.fixture
def dovecot(tmp_path):
    return Dovecot(tmp_path)


def accepted(dovecot, path):
    """The lines; Dovecot takes them, and once more they are the same."""
    lines = dovecot.setup(path, "--conf").stdout
    dovecot.append("\n" + lines)
    dovecot.ask("-n")
    assert dovecot.setup(path, "--conf").stdout == lines
    return lines


def has_no_lines(text):
    return not any(line.lstrip().startswith(
        ("mail_plugins", "quota =", "quota \"", "plugin {"))
        for line in text.splitlines())


# --- the lines ----------------------------------------------------------------

def test_setup_plugin(policy, dovecot):
    path = policy()
    lines = accepted(dovecot, path)
    assert "#" not in lines and "quota_full_tempfail = yes" in lines
    said = dovecot.ask("-n")
    if VERSION == "2.3":
        assert "plugin { quota = mailreeve:User quota" in said
        for protocol in ("imap", "pop3", "lmtp", "lda", "doveadm", "other"):
            own = ["imap_quota"] if protocol == "imap" else []
            assert dovecot.plugins(protocol) == ["quota", "mailreeve", *own]
    else:
        assert 'quota "User quota" { driver = mailreeve }' in said
        assert "mail_plugins { quota = yes mailreeve = yes }" in said
        assert "protocol imap { mail_plugins { imap_quota = yes } }" in said
    assert MODULE in dovecot.loads()
    # the explained lines are the same, and more
    text = dovecot.setup(path).stdout
    assert set(lines.splitlines()) <= set(text.splitlines())


def test_setup_plugin_full(policy, dovecot):
    path = policy(POLICY + "mailbox {\n\tfull = reject\n}\n")
    assert "quota_full_tempfail = no" in accepted(dovecot, path).splitlines()


@only_2_3
def test_setup_plugin_reaches_own_lists(policy, dovecot):
    """$mail_plugins is filled in where it stands, as in Debian's files."""
    dovecot.append("mail_plugins = zlib quota\n"
                   "protocol lmtp {\n mail_plugins = $mail_plugins sieve\n}\n"
                   "protocol sieve {\n mail_plugins = acl\n}\n"
                   "protocol imap {\n mail_plugins = imap_quota\n}\n"
                   "protocol lda {\n mail_plugins = $mail_plugins\n}\n"
                   "remote 192.0.2.0/24 {\n protocol pop3 {\n"
                   "  mail_plugins = acl\n }\n}\n")
    lines = accepted(dovecot, policy())
    assert dovecot.plugins("lmtp") == ["zlib", "quota", "sieve", "mailreeve"]
    assert dovecot.plugins("imap") == ["imap_quota", "quota", "mailreeve"]
    assert dovecot.plugins("sieve") == ["acl", "quota", "mailreeve"]
    for protocol in ("lda", "pop3", "doveadm", "other"):
        assert dovecot.plugins(protocol) == ["zlib", "quota", "mailreeve"]
    # a list of the protocol's own beside it would keep Dovecot from starting
    assert "\nprotocol pop3" not in lines
    assert ("remote 192.0.2.0/24 {\n  protocol pop3 {\n"
            "    mail_plugins = acl quota mailreeve\n  }\n}\n") in lines


@only_2_3
def test_setup_plugin_with_a_negated_protocol(policy, dovecot):
    dovecot.append("protocol !pop3 {\n mail_plugins = acl\n}\n")
    text = " ".join(dovecot.setup(policy()).stdout.replace("\n#", "").split())
    assert "No list for imap" in text
    accepted(dovecot, policy())
    assert dovecot.plugins("lmtp") == ["acl", "quota", "mailreeve"]
    assert dovecot.plugins("pop3") == ["quota", "mailreeve"]


@only_2_4
def test_setup_plugin_merges_lists(policy, dovecot):
    dovecot.append("mail_plugins {\n notify = yes\n}\n"
                   "protocol doveadm {\n mail_plugins {\n acl = yes\n }\n}\n"
                   "protocol lmtp {\n mail_plugins {\n sieve = yes\n }\n}\n")
    lines = accepted(dovecot, policy())
    assert "lmtp" not in lines and "doveadm" not in lines
    loads = dovecot.loads()
    assert "lib01_acl" in loads and MODULE in loads


@only_2_4
def test_setup_plugin_reaches_own_lists_2_4(policy, dovecot):
    dovecot.append("protocol doveadm {\n mail_plugins = acl\n}\n"
                   "protocol imap {\n mail_plugins = acl\n}\n"
                   "protocol pop3 {\n mail_plugins {\n quota = no\n }\n}\n"
                   "remote 192.0.2.0/24 {\n protocol imap {\n"
                   "  mail_plugins = notify\n }\n}\n")
    accepted(dovecot, policy())
    said = dovecot.ask("-n")
    assert "protocol doveadm { mail_plugins = acl quota mailreeve }" in said
    assert ("protocol imap { mail_plugins = acl quota mailreeve imap_quota }"
            in said)
    assert ("protocol imap { mail_plugins = notify quota mailreeve imap_quota }"
            in said)
    assert ("protocol pop3 { mail_plugins { quota = yes mailreeve = yes } }"
            in said)
    assert MODULE in dovecot.loads()


def test_setup_plugin_is_not_installed(policy, dovecot):
    dovecot.plugin.unlink()
    dovecot.append("protocol pop3 {\n mail_plugins = quota\n}\n")
    assert dovecot.setup(policy(), "--conf").stdout == ""
    text = dovecot.setup(policy()).stdout
    assert f"# {MODULE} is not in" in text and has_no_lines(text)
    assert "quota_full_tempfail = yes" in text


@pytest.mark.parametrize("other, lines", [
    ("2.3.19", ["mail_plugins = $mail_plugins quota mailreeve",
                "  quota = mailreeve:User quota"]),
    ("2.4.1", ["  mailreeve = yes", 'quota "User quota" {'])])
def test_setup_plugin_of_another_version(policy, other, lines):
    ran = run("setup", "dovecot", "--conf", "-c", policy(),
              "--dovecot-version", other)
    assert set(lines) < set(ran.stdout.splitlines())


# --- what doubles it ----------------------------------------------------------

@pytest.mark.parametrize("text, found", [
    ("plugin {\n quota_rule = *:storage=1G\n}\n", "quota_rule = *:storage=1G"),
    ("plugin {\n quota_rule2 = ?:messages=3:storage=1M\n}\n", "quota_rule2 ="),
    ("plugin {\n quota = maildir:User quota\n}\n", "quota = maildir:User"),
    ("plugin {\n quota2 = count:Other\n}\n", "plugin { quota2 = count:Other }"),
    ("protocol lmtp {\n plugin {\n  quota = dict:x\n }\n}\n",
     "protocol lmtp { plugin { quota = dict:x } }"),
] if VERSION == "2.3" else [
    ("quota_storage_size = 1G\n", "quota_storage_size = 1G"),
    ("protocol imap {\n quota_storage_size = 2G\n}\n",
     "protocol imap { quota_storage_size = 2G }"),
    ('quota "User quota" {\n driver = mailreeve\n storage_size = 1G\n}\n',
     'quota "User quota" { storage_size = 1G }'),
    ('quota "User quota" {\n}\n', 'quota "User quota" { driver = count }'),
    ("quota other {\n driver = maildir\n}\n", "quota other { driver = maild"),
    ("namespace inbox {\n mailbox Junk {\n  quota_storage_size = 1M\n }\n}\n",
     "mailbox Junk { quota_storage_size = 1M }"),
], ids=itertools.count())
def test_setup_plugin_refuses_another_quota(policy, dovecot, text, found):
    dovecot.append(text)
    for args in ([], ["--conf"]):
        ran = dovecot.setup(policy(), *args, status=2)
        assert found in ran.stderr and "Remove it" in ran.stderr
        assert has_no_lines(ran.stdout)


def test_setup_plugin_lets_the_rest_of_quota_be(policy, dovecot):
    if VERSION == "2.3":
        dovecot.append("plugin {\n quota = mailreeve:User quota\n"
                       " quota_rule = Trash:storage=+10%%\n"
                       " quota_warning = storage=95%% quota-warning 95 %u\n}\n")
    else:
        dovecot.append("quota_storage_size = unlimited\n"
                       'quota "User quota" {\n driver = mailreeve\n'
                       " warning late {\n  quota_storage_size = 1G\n"
                       "  execute x {\n  }\n }\n}\n"
                       'protocol imap {\n quota "User quota" {\n'
                       "  hidden = no\n }\n}\n")
    accepted(dovecot, policy())


def namespace(mailbox, setting="autoexpunge = 14d", **more):
    name = more.pop("name", "inbox")
    lines = "".join(f" {key} = {value}\n" for key, value in more.items())
    return (f"namespace {name} {{\n{lines} mailbox {mailbox} {{\n  {setting}\n"
            " }\n}\n")


@pytest.mark.parametrize("text, config, rule", [
    (PURGE, namespace("Trash"), "purge \\Trash"),
    (PURGE, namespace('"Deleted Items"', "autoexpunge = 3d\n"
                      "  special_use = \\Trash"), "purge \\Trash"),
    (PURGE, namespace("Spam"), "purge Spam"),
    (PURGE, namespace("Virus", "autoexpunge_max_mails = 100"),
     "purge Virus"),
    (PURGE, namespace("Old/2020"), "purge Old/*"),
    (PURGE, namespace('"S*"'), "purge Spam"),
    (PURGE, namespace('"*"'), "purge \\Trash"),
    (PURGE, namespace("Trash", name="more", prefix="More/", separator="/"),
     None),
    (PURGE, namespace("Spam", name="more", prefix="More/", separator="/"),
     None),
    (PURGE, namespace("Spam", prefix="My/", separator="/"), "purge Spam"),
    (PURGE, namespace("Spam", prefix="Old/", separator="/"), "purge Spam"),
    (PURGE, namespace("2020", name="old", prefix="Old/", separator="/"),
     "purge Old/*"),
    (EVERYTHING, namespace("Lists"), "purge *"),
    (EVERYTHING, namespace("INBOX"), "purge *"),
    (POLICY + "purge inbox {\n\tafter = 9w\n}\n", namespace("INBOX"),
     "purge inbox"),
    (POLICY + "purge I* {\n\tafter = 9w\n}\n", namespace("INBOX"), None),
    (PURGE, namespace("Lists"), None),
    (PURGE, namespace("Spam/2020"), None),
    (PURGE, namespace("Spam", "autoexpunge = 0"), ""),
    (EVERYTHING, namespace("Bin", name="all", type="public", prefix="All/",
                           separator="/", list="yes"), None),
    (POLICY, namespace("Trash"), None),
], ids=itertools.count())
def test_setup_plugin_and_autoexpunge(policy, dovecot, text, config, rule):
    dovecot.append(config)
    ran = dovecot.setup(policy(text), status=2 if rule else 0)
    if rule:
        assert f"({rule}, {policy(text)}:" in ran.stderr, ran.stderr
        assert "autoexpunge" in ran.stderr and has_no_lines(ran.stdout)
    else:
        said = " ".join(ran.stdout.replace("\n#", "").split())
        assert ran.stderr == "" and not has_no_lines(ran.stdout)
        assert ("The policy has no rule for" in said) is (rule is None)


def test_setup_plugin_and_lazy_expunge(policy, dovecot):
    dovecot.append(namespace(".EXPUNGED"))
    dovecot.setup(policy(EVERYTHING), status=2)
    dovecot.append("plugin {\n lazy_expunge = .EXPUNGED\n}\n"
                   if VERSION == "2.3" else
                   "lazy_expunge_mailbox = .EXPUNGED\n")
    dovecot.setup(policy(EVERYTHING))


@only_2_4
def test_setup_plugin_and_autoexpunge_of_a_named_mailbox(policy, dovecot):
    dovecot.append(namespace("bin", "autoexpunge = 14d\n  name = Spam"))
    assert "(purge Spam, " in dovecot.setup(policy(PURGE), status=2).stderr


@only_2_4
def test_setup_plugin_and_autoexpunge_of_all(policy, dovecot):
    dovecot.append("mailbox_autoexpunge = 14d\n")
    assert "mailbox_autoexpunge = 14d" in dovecot.setup(
        policy(PURGE), status=2).stderr
    dovecot.setup(policy())


# --- doveconf -----------------------------------------------------------------

def test_setup_plugin_when_doveconf_fails(policy, dovecot):
    dovecot.append("nonsense {\n")
    ran = dovecot.setup(policy(), "--conf", status=75)
    assert ran.stdout == "" and "doveconf failed" in ran.stderr
    ran = dovecot.setup(policy())
    assert "doveconf failed" in ran.stderr
    assert not has_no_lines(ran.stdout)


@pytest.mark.parametrize("text", [
    "", "}\n}\n}\n{\n", "a {\n" * 100000, "namespace x {\n" * 40 + "}\n" * 50,
    "mailbox {\n autoexpunge = 3", 'mailbox " {\n autoexpunge = 3d\n}\n',
    "quota \"\\\" {\n driver =\n}", "= x\n\" = y\nprotocol {\nmail_plugins =",
    "protocol " + "x" * 100000 + " {\n  mail_plugins = a\n}\n",
    "mailbox " + "*a" * 2000 + " {\n autoexpunge = 1d\n",
    "\x01\xff {\n  mail_plugins = \"\n", "# x {\n\n \t \n} }\n",
], ids=itertools.count())
def test_setup_plugin_reads_anything(policy, dovecot, tmp_path, text):
    answer = tmp_path / "answer"
    answer.write_text(text, encoding="latin-1")
    fake = tmp_path / "bin/doveconf"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\n"
                    f"case $1 in -n) cat {answer} ;; *) echo {dovecot.modules}"
                    " ;; esac\n")
    fake.chmod(0o755)
    dovecot.environment["PATH"] = f"{fake.parent}:{os.environ['PATH']}"
    path = policy(POLICY + "purge " + "*a" * 500 + "* Z {\n\tafter = 9d\n}\n")
    ran = subprocess.run([PROGRAM, "setup", "dovecot", "--conf", "-c", path],
                         env=dovecot.environment, stdin=subprocess.DEVNULL,
                         capture_output=True, timeout=60)
    assert ran.returncode in (0, 2), ran
