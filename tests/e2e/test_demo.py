"""test_demo - packaging/demo agrees with itself, and notices a broken rule
SPDX-License-Identifier: ISC

Runs on the machine, not in the world: the demo starts a world of its own.
"""
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
POLICY = (TOP / "packaging/demo.conf").read_text()


def demo(*args):
    return subprocess.run([TOP / "packaging/demo", *args], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=300)


def test_all_rows_agree():
    ran = demo()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = re.findall(r"(?m)^(agrees|DIFFERS)", ran.stdout)
    assert len(rows) >= 40 and "DIFFERS" not in rows
    assert "\033" not in ran.stdout and "\r" not in ran.stdout
    table = ran.stdout.partition("sent")[2].partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 100


# What is broken: in which line of the policy that Postfix's milter gets, and the
# row that must then differ.
BROKEN = {
    "helo off": ("check helo {\n\taction = reject", "check helo {\n"
                 "\taction = off", 'HELO "client"'),
    "helo deferred": ("check helo {\n\taction = reject", "check helo {\n"
                      "\taction = defer", 'HELO "client"'),
    "unknown accepted": ("check recipient {\n\taction = reject",
                         "check recipient {\n\taction = observe",
                         "to nobody@"),
    "larger": ("size = 25M", "size = 26M", "25 MB and one octet"),
    "no group": ("bob@beta.example", "nobody@beta.example", "30 MB to bob"),
    "no login": ("auth = required", "auth = optional", "587, TLS, not"),
    "other words": ("check helo {", "check helo {\n\tinvalid_text = No",
                    'HELO "mail_server!'),
    "nameless hosts": ("check rdns {\n\taction = reject",
                       "check rdns {\n\taction = observe",
                       "a host without a name"),
    "any domain": ("check sender {\n\taction = reject",
                   "check sender {\n\taction = off", "one that takes no"),
    "SPF is not asked": ("check spf {\n\taction = reject",
                         "check spf {\n\taction = off",
                         "a host that SPF does not name"),
    "a code of no list": ("codes = 127.0.0.2..11", "codes = 127.0.0.3..11",
                          "a host on a block list"),
    "a larger mailbox": ("quota = 1M", "quota = 2M", "300 KB by IMAP, 9"),
    "other mail for it": ("quota = 1G", "quota = 1G\n\tfull = reject",
                          "300 KB by SMTP"),
    "nobody asks for room": ("check quota {\n\taction = reject",
                             "check quota {\n\taction = off",
                             "300 KB to office@"),
    "purged later": ("after = 92d", "after = 200d", "purge"),
}


# Those that do not touch each other are broken at once, as a demo takes a while.
TOGETHER = [
    [name for name in BROKEN if name not in ("helo deferred", "other words",
                                             "other mail for it",
                                             "nobody asks for room")],
    ["helo deferred", "other mail for it"],
    ["other words", "nobody asks for room"],
]


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
def test_a_broken_rule_is_seen(names, tmp_path):
    policy, text = tmp_path / "mailreeve.conf", POLICY
    for name in names:
        before, after, _ = BROKEN[name]
        assert before in text
        text = text.replace(before, after)
    policy.write_text(text)
    ran = demo("--policy-for-postfix", str(policy))
    assert ran.returncode == 1, ran.stdout + ran.stderr
    differing = re.findall(r"(?m)^DIFFERS  (.*?)  ", ran.stdout)
    for name in names:
        row = BROKEN[name][2]
        assert any(what.startswith(row) for what in differing), ran.stdout
