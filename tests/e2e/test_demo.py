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
    assert len(rows) >= 15 and "DIFFERS" not in rows
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
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_seen(name, tmp_path):
    before, after, row = BROKEN[name]
    assert before in POLICY
    policy = tmp_path / "mailreeve.conf"
    policy.write_text(POLICY.replace(before, after))
    ran = demo("--policy-for-postfix", str(policy))
    assert ran.returncode == 1, ran.stdout + ran.stderr
    differing = re.findall(r"(?m)^DIFFERS  (.*?)  ", ran.stdout)
    assert any(what.startswith(row) for what in differing), ran.stdout
