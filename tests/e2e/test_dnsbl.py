"""test_dnsbl - block lists that fall ill while mail comes in
SPDX-License-Identifier: ISC
"""
import concurrent.futures
import itertools
import os
import pathlib
import time

import pytest
from conftest import POLICY, run
from e2e.facts import Facts, explain

from world import (MAIL_LOG, MAILREEVE_LOG, RawSmtp, dns_log, log_end,
                   log_lines, zone_reset)
from world.logs import write_zone

BASE = (pathlib.Path(__file__).parents[1] / "world/zone").read_text()
KEY = "q7w3xsecretkey5zz"
KEYFILE = pathlib.Path("/etc/mailreeve/keyed.key")
LISTS = """\

check dnsbl {
	action = reject
}
dnsbl wild.sick.example refusing.sick.example {
}
dnsbl silent.sick.example parked.sick.example empty.sick.example {
}
dnsbl keyed {
	zone = {key}.sick.example
	key = @/etc/mailreeve/keyed.key
	codes = 127.0.0.2..11
	url = https://lists.example/{item}
}
"""
SICK = ("wild", "refusing", "silent", "parked", "empty")
HANDFUL = 5
# 198.51.100.66 is on all lists
ENTRIES = ["2.0.0.127.{zone} IN A 127.0.0.2",
           "66.100.51.198.{zone} IN A 127.0.0.4"]
FAULTS = {"wild": ["*.{zone} IN A 127.0.0.2"],
          "refusing": ["*.{zone} IN A 127.255.255.254"],
          "silent": [";!timeout {zone}"],
          "parked": ["*.{zone} IN A 203.0.113.80"],
          "empty": []}
clients = itertools.count(20)


def lists(*sick):
    lines = [BASE, "$TTL 1", "sick.example. IN SOA sick.example. "
             "root.sick.example. ( 1 3600 600 86400 1 )"]
    for name in (*SICK, KEY):
        found = FAULTS[name] if name in sick else ENTRIES
        lines += [line.format(zone=f"{name}.sick.example.") for line in found]
    write_zone("\n".join(lines) + "\n")


def stranger():
    """A client that nobody knows yet, and no list lists."""
    number = next(clients)
    source = f"203.0.113.{number}" if number < 250 else \
        f"198.51.100.{number - 250 + 100}"
    return Facts(source=source).send()


def states():
    """{"wild.sick.example": "well; ..."} of what is asked for IPv4."""
    found = {}
    for line in run("mailreeve", "status", check=False).stdout.splitlines():
        words = line.replace("=", " ", 1).split(None, 1)
        if words and words[0] == "list" and ", IPv4: " in words[1]:
            title, _, state = words[1].partition(", IPv4: ")
            found[title] = state
    return found


def wait_for_states(begin, names, seconds):
    end = time.monotonic() + seconds
    while True:
        now = states()
        if all(now[f"{name}.sick.example"].startswith(begin)
               for name in names):
            return now
        assert time.monotonic() < end, now
        time.sleep(0.2)


def write_key():
    KEYFILE.write_text(KEY + "\n")
    os.chown(KEYFILE, 0, POLICY.stat().st_gid)
    os.chmod(KEYFILE, 0o640)


@pytest.fixture
def world(policy):
    lists()
    write_key()
    policy(POLICY.read_text() + LISTS)
    yield policy
    zone_reset()
    KEYFILE.unlink()


def refused_strangers(n):
    """How many of n clients that no list lists are refused, ten at a time."""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(lambda _: stranger(), range(n)))
    codes = [outcome.reply.code for outcome in outcomes]
    assert set(codes) <= {250, 550}, codes
    return codes.count(550)


def listed():
    return Facts(source="198.51.100.66").send()


def test_all_lists_are_asked_when_the_client_connects(world):
    """Not when it says RCPT."""
    with RawSmtp(25, "203.0.113.15", "192.0.2.1") as c:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            asked = [q.name for q in dns_log("sick.example")
                     if q.name.startswith("15.113.0.203.")]
            if len(set(asked)) == 6:
                break
            time.sleep(0.05)
        assert len(set(asked)) == 6
        c.cmd("QUIT")


def test_lists_fall_ill_and_recover(world):
    mark = log_end(MAILREEVE_LOG)
    wait_for_states("well", SICK, 60)
    assert refused_strangers(5) == 0
    outcome = listed()
    assert (outcome.reply.code, outcome.reply.enhanced) == (550, "5.7.1")
    assert "wild.sick.example" in outcome.text

    # all at once, while listings are trusted
    lists(*SICK)
    fell_ill = time.monotonic()
    refused = refused_strangers(20)
    assert refused <= HANDFUL
    wait_for_states("taken out", SICK, 90)
    took = time.monotonic() - fell_ill
    print(f"refused wrongly: {refused}; all taken out after {took:.1f} s")

    # nobody is refused any more, and nobody waits
    began = time.monotonic()
    assert refused_strangers(30) == 0
    assert time.monotonic() - began < 15
    for name, why in {"wild": "lists what cannot be listed",
                      "refusing": "refuses to answer us",
                      "silent": "does not answer", "parked": "may be parked",
                      "empty": "is empty"}.items():
        log_lines(MAILREEVE_LOG, rf"the list {name}\.sick\.example, IPv4 "
                  rf".*{why}.*taken out", after=mark)
    # what is well is still asked
    outcome = listed()
    assert outcome.reply.code == 550
    assert outcome.text == ("198.51.100.66 is on the block list keyed: to be "
                            "taken off it see https://lists.example/"
                            "198.51.100.66")
    assert outcome.differences(outcome.explain()) == []

    # well again; the test entry is in the cache for 10 s at least
    lists()
    wait_for_states("well", SICK, 90)
    log_lines(MAILREEVE_LOG, "is well again: taken back", after=mark,
              count=len(SICK))
    assert "wild.sick.example" in listed().text
    assert refused_strangers(5) == 0


def test_a_list_that_was_never_well(world, milter):
    """Nobody is refused, from the first mail on."""
    lists("wild")
    milter.restart()
    assert refused_strangers(20) == 0
    assert listed().reply.code == 550


def test_the_key_is_nowhere(world):
    mark = log_end(MAIL_LOG), log_end(MAILREEVE_LOG)
    outcome = listed()
    said = [outcome.reply.text, str(outcome.explain()),
            run("mailreeve", "status").stdout,
            run("mailreeve", "show").stdout,
            run("mailreeve", "check").stdout,
            run("mailreeve", "explain", "--client", "198.51.100.66", "--helo",
                "a.example", "--from", "a@sender.example", "--rcpt",
                "ann@alpha.example", "--dns", "192.0.2.53",
                check=False).stdout]
    write_zone(BASE + f"\n;!servfail {KEY}.sick.example.\n")
    said.append(str(explain(
        "--client", "198.51.100.67", "--helo", "a.example", "--from",
        "a@sender.example", "--rcpt", "ann@alpha.example", "--dns",
        "192.0.2.53")))
    refused_strangers(5)
    log_lines(MAILREEVE_LOG, "the list keyed, IPv4 does not answer",
              after=mark[1])
    said += log_lines(MAIL_LOG, after=mark[0], timeout=0)
    said += log_lines(MAILREEVE_LOG, after=mark[1], timeout=0)
    assert "keyed" in "".join(said)
    assert not [text for text in said if KEY in text]


def test_a_key_that_is_none(world):
    KEYFILE.write_text("not a.label!\n")
    ran = run("mailreeve", "check", check=False)
    assert ran.returncode == 2
    assert "cannot be a part of a domain name" in ran.stderr
    assert "label!" not in ran.stderr
    KEYFILE.write_text(KEY + "\n")


@pytest.mark.parametrize("settings, message", [
    ("dnsbl word {\n}", "dnsbl word needs a zone: its title is no domain"),
    ("dnswl word {\n\tweight = 1\n}", "dnswl word needs a zone"),
    ("dnsbl {key}.bl.example {\n}", "a list is called by its domain"),
    ("dnsbl a {\n\tzone = {key}.bl.example\n}", "{key} needs key = @FILE"),
    ("dnsbl a {\n\tzone = bl.example\n\tkey = @/etc/mailreeve/keyed.key\n}",
     "a key needs a zone with {key} in it"),
    ("dnsbl a {\n\tzone = bl..example\n}", "a zone is a domain"),
    ("dnsbl a.example {\n\tcodes = 127.0.0.2 10.0.0.1\n}",
     "begin with 127"),
    ("dnsbl a.example {\n\tcodes = 127.0.0.2-11\n}", "is not a code"),
    ("dnsbl a.example {\n\tweight = 0\n}", "weight"),
    ("dnsbl a.example {\n\ttest = bad.example\n}", "test is an address"),
    ("dnsbl a.example {\n\task = helo\n\ttest = a..b\n}", "test is a name"),
    ("dnsbl a.example {\n\turl = a.example\n}", "a url begins with https://"),
    ("check dnsbl {\n\taction = tag\n}", "check dnsbl needs a list to ask"),
    ("check dnsbl {\n\tthreshold = 0\n}", "threshold"),
])
def test_mistakes(tmp_path, settings, message):
    write_key()
    path = tmp_path / "mailreeve.conf"
    path.write_text(f"hostname = mx.lab.example\n{settings}\n")
    ran = run("mailreeve", "check", "-c", str(path), check=False)
    KEYFILE.unlink()
    assert ran.returncode == 2
    assert message in ran.stderr
    assert KEY not in ran.stderr
