"""test_overrides - whose rule applies, asked of everybody who enforces or tells
SPDX-License-Identifier: ISC

A thousand accounts in random groups, domains and ports, some with a section or
with a quota of their own, under a random policy.  `mailreeve show', `mailreeve
explain', Postfix with our milter and Dovecot with our plugin must all say what
RUNGS says: nothing of it comes from the program.  MAILREEVE_SEED repeats a run.
"""
import concurrent.futures
import dataclasses
import os
import pathlib
import random
import re
import shutil

import pytest
from conftest import run, until
from e2e.facts import explain

from world import (GOOD, MAILREEVE_LOG, TLS, RawSmtp, doveadm, log_end,
                   log_lines, password)
from world.dovecot import USERS, is_23, write_users

ACCOUNTS, LOGINS = 1000, 40
RUNGS = ("user", "userdb", "group", "domain", "listener", "global")
DEFAULT = {"size": None, "quota": 1 << 30, "helo": "off"}       # None: no limit
NAMES = {"size": "message.size", "quota": "mailbox.quota",
         "helo": "check helo.action"}
ACTIONS = ("off", "observe", "tag", "defer", "reject")
PORTS = (25, 26, 465, 587)
DOMAINS = tuple(f"d{n}.example" for n in range(12))
GROUPS = tuple(f"g{n}" for n in range(8))
K = 1024
HUGE = 50_000_000                       # more than any limit
OTHER, BARE = "someone@remote.example", "client"
TABLES = pathlib.Path("/etc/mailreeve/groups")
HOSTED = pathlib.Path("/etc/postfix/virtual_domains")
# No check but helo, size and auth
POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/mailreeve-userdb
}
check mx {
	action = off
}
"""
# Postfix's own limits, of errors and of size, are not what is tested
PATIENT = {"message_size_limit": HUGE, "smtpd_error_sleep_time": 0,
           "smtpd_soft_error_limit": 9999, "smtpd_hard_error_limit": 9999,
           "smtpd_junk_command_limit": 9999}


# --- what is expected ---------------------------------------------------------

@dataclasses.dataclass
class Account:
    address: str
    port: int
    groups: list
    said: dict                          # {rung: {setting: value}}

    def expect(self, setting):
        """(value, rung), by the one sentence of DECISIONS.md."""
        for rung in RUNGS:
            if setting in self.said[rung]:
                return self.said[rung][setting], rung
        return DEFAULT[setting], "default"

    def spelling(self, dice):
        """The same account, as somebody may write it."""
        local, _, domain = self.address.partition("@")
        return dice.choice((self.address, f"{local}+x@{domain}",
                            self.address.upper()))


class World:
    """A random policy, and who lives under it."""

    def __init__(self, dice):
        self.sizes = [*dice.sample(range(20_000, 900_000), 9), 40 * K, None]
        self.quotas = [K * n for n in dice.sample(range(10, 10_000), 10)]
        self.sections, self.accounts = {}, []
        for rung, titles in (("global", ("",)), ("group", GROUPS),
                             ("domain", DOMAINS), ("listener", PORTS)):
            self.sections |= self.roll(dice, rung, titles)
        for n in range(ACCOUNTS):
            self.add(dice, f"o{n}@{dice.choice(DOMAINS)}")

    def roll(self, dice, rung, titles, chance=0.5):
        """{(rung, title): settings}; no listener has a mailbox.  Of several
        the first has all, the last nothing, so that each rung counts."""
        value = {"size": lambda: dice.choice(self.sizes),
                 "quota": lambda: dice.choice([*self.quotas, None]),
                 "helo": lambda: dice.choice(ACTIONS)}
        chances = dict.fromkeys(titles, chance)
        if titles[1:]:
            chances |= {titles[0]: 1, titles[-1]: 0}
        return {(rung, title): {name: value[name]() for name in NAMES
                                if dice.random() < chances[title] and
                                (rung, name) != ("listener", "quota")}
                for title in titles}

    def add(self, dice, address):
        groups = dice.sample(GROUPS, dice.choice((0, 0, 1, 1, 1, 2)))
        port = dice.choice(PORTS)
        user = self.roll(dice, "user", (address,), dice.choice((0, 0, 0.6)))
        userdb = {"quota": K * dice.randrange(10, 10_000)}
        self.sections |= {key: own for key, own in user.items() if own}
        # of two groups the first in the file counts
        group = self.sections["group", min(groups)] if groups else {}
        self.accounts.append(Account(address, port, groups, {
            "user": user["user", address],
            "userdb": userdb if dice.random() < 0.25 else {},
            "group": group,
            "domain": self.sections["domain", address.partition("@")[2]],
            "listener": self.sections["listener", port],
            "global": self.sections["global", ""]}))

    def policy(self):
        text = POLICY
        for (rung, title), settings in self.sections.items():
            body = "".join(map(section, settings.items()))
            if rung == "group":
                body += f"members = lmdb:{TABLES}/{title}\n"
            text += body if rung == "global" else \
                f"{rung} {title} {{\n{body}}}\n"
        return text

    def users(self):
        field = "quota_rule=*:storage" if is_23() else "quota_storage_size"
        return "".join(
            f"{a.address}:{{PLAIN}}{password(a.address)}::::::" + "".join(
                f"userdb_{field}={quota // K}K" for quota in
                a.said["userdb"].values()) + "\n" for a in self.accounts)

    def members(self, group):
        return "".join(f"{a.address} x\n" for a in self.accounts
                       if group in a.groups)


def section(setting):
    name, value = setting
    head, _, option = NAMES[name].rpartition(".")
    return f"{head} {{\n\t{option} = {value or 'unlimited'}\n}}\n"


@pytest.fixture(scope="module")
def world():
    """Its accounts, domains and groups are there; its policy is not yet."""
    seed = int(os.environ.get("MAILREEVE_SEED") or random.randrange(10**6))
    print("MAILREEVE_SEED =", seed)
    made = World(random.Random(seed))
    made.seed = seed
    users, hosted = USERS.read_text(), HOSTED.read_text()
    TABLES.mkdir()
    for group in GROUPS:
        (TABLES / group).write_text(made.members(group))
        run("postmap", f"lmdb:{TABLES}/{group}")
    HOSTED.write_text(hosted + "".join(f"{name} x\n" for name in DOMAINS))
    run("postmap", f"lmdb:{HOSTED}")
    write_users(users + made.users())
    until(lambda: run("doveadm", "user", made.accounts[-1].address,
                      check=False).returncode == 0, 60)
    yield made
    write_users(users)
    HOSTED.write_text(hosted)
    run("postmap", f"lmdb:{HOSTED}")
    shutil.rmtree(TABLES)
    for domain in DOMAINS:
        shutil.rmtree(f"/var/vmail/{domain}", ignore_errors=True)


@pytest.fixture
def ruled(world, policy):
    """The world, and its policy in force."""
    policy(world.policy())
    return world


def octets(text):
    """A limit in the program's words, or in Dovecot's."""
    units = {"K": K, "M": K ** 2, "G": K ** 3}
    found = re.fullmatch(r"(?:\*:storage=)?(\d+)([KMG]?)", text)
    assert found or text == "unlimited", text
    return int(found[1]) * units.get(found[2], 1) if found else None


def by_port(world):
    return [(port, [a for a in world.accounts if a.port == port])
            for port in PORTS]


def compare(world, setting, told):
    """told: {address: value} or {address: (value, rung)}, of all accounts."""
    wrong = []
    for a in world.accounts:
        want, got = a.expect(setting), told.get(a.address, "nothing")
        if got != (want if isinstance(got, tuple) else want[0]):
            wrong.append(f"{a.address}, port {a.port}: {got}, not {want}")
    assert not wrong, f"{len(wrong)} accounts, MAILREEVE_SEED={world.seed}\n" \
        + "\n".join(wrong[:20])


# --- what they say ------------------------------------------------------------

def test_the_world_is_telling(world):
    """Every rung decides every setting for somebody, if it may."""
    for setting in NAMES:
        rungs = {a.expect(setting)[1] for a in world.accounts}
        last = {"userdb"} if setting == "quota" else {"listener"}
        assert {"user", "group", "domain"} | last <= rungs
        assert rungs & {"global", "default"}


def test_show(ruled):
    told = {setting: {} for setting in NAMES}
    for port, accounts in by_port(ruled):
        shown = run("mailreeve", "show", "--listener", str(port),
                    *(a.address for a in accounts)).stdout
        blocks = re.split(r"(?m)^(o\d+@\S+)$", shown)[1:]
        for address, block in zip(blocks[::2], blocks[1::2]):
            cells = {row[0]: row for row in (
                re.split("  +", line) for line in block.splitlines())}
            for setting, name in NAMES.items():
                _, value, who, _ = cells[name]
                told[setting][address] = (
                    value if setting == "helo" else octets(value),
                    who.partition(" ")[0])
    for setting, found in told.items():
        compare(ruled, setting, found)


def test_explain(ruled):
    """The trace has each recipient's limit, and what is done to him."""
    sizes, actions = {}, {}
    for port, accounts in by_port(ruled):
        said = explain("--client", GOOD, "--helo", BARE, "--port", str(port),
                       "--from", "a@sender.example", "--size", "1", *(
                           word for a in accounts
                           for word in ("--rcpt", a.address)))
        actions |= dict.fromkeys((a.address for a in accounts), "off")
        for entry in said["trace"]:
            to, check = entry["recipient"], entry["check"]
            if entry["stage"] == "rcpt" and check == "size":
                sizes[to] = octets(entry["detail"].rpartition(" ")[2])
            elif entry["stage"] == "rcpt" and check == "helo":
                actions[to] = entry["action"]
    compare(ruled, "size", sizes)
    compare(ruled, "helo", actions)


def test_quota(ruled, tmp_path):
    accounts = tmp_path / "accounts"
    accounts.write_text("".join(f"{a.address}\n" for a in ruled.accounts))
    told = {row["username"]: None if row["limit"] == "-" else
            int(row["limit"]) * K
            for row in doveadm("quota", "get", "-F", str(accounts))
            if row["type"] == "STORAGE"}
    unlimited = {a.address for a in ruled.accounts} - told.keys()
    compare(ruled, "quota", told | dict.fromkeys(unlimited))


# --- what happens -------------------------------------------------------------

def answers(client, recipients, size=None, sender="a@sender.example"):
    """Of one MAIL and its RCPTs, {recipient: code and enhanced code}."""
    declared = f" SIZE={size}" if size else ""
    first, *replies, _ = client.pipeline(
        f"MAIL FROM:<{sender}>{declared}",
        *(f"RCPT TO:<{to}>" for to in recipients), "RSET")
    assert first.code == 250, first
    return {to: (reply.code, reply.enhanced)
            for to, reply in zip(recipients, replies)}


def connect(port, login=None):
    client = RawSmtp(port, timeout=120)
    client.ehlo()
    if login:
        if port != 465:
            client.starttls(TLS)
            client.ehlo()
        assert client.login(login).code == 235, client.last
    return client


def is_taken(client, limits):
    """limits: {recipient: limit}.  Takes each what he takes, and not an octet
    more?  Gives [(recipient, size, answer)] of those that were wrong."""
    wrong = []
    for limit in set(limits.values()):
        some = [to for to in limits if limits[to] == limit]
        tries = [(limit, (250, "2.1.5")), (limit + 1, (552, "5.3.4"))] \
            if limit else [(HUGE, (250, "2.1.5"))]
        for size, want in tries:
            wrong += [(to, size, answer) for to, answer in
                      answers(client, some, size).items() if answer != want]
    return wrong


def test_smtp(ruled, postfix):
    postfix(**PATIENT)
    dice = random.Random(ruled.seed)
    names = {a.spelling(dice): a for a in ruled.accounts}

    def talk(port):
        some = [to for to, a in names.items() if a.port == port]
        with connect(port) as client:
            wrong = is_taken(client, {to: names[to].expect("size")[0]
                                      for to in some})
            client.ehlo(BARE)
            told = answers(client, some)
            refused = [to for to in told if told[to][0] != 250]
            answers(client, refused[:1], sender=f"last@{port}.example")
            return wrong, told

    mark = log_end(MAILREEVE_LOG)
    with concurrent.futures.ThreadPoolExecutor(len(PORTS)) as pool:
        talked = list(pool.map(talk, PORTS))
    wrong = [f"{to}, port {names[to].port}: SIZE={size}: {answer}, not "
             f"{names[to].expect('size')}"
             for some, _ in talked for to, size, answer in some]
    assert not wrong, f"MAILREEVE_SEED={ruled.seed}\n" + "\n".join(wrong[:20])
    told = unfelt(mark, ruled.accounts)
    for _, some in talked:
        for to, answer in some.items():
            if answer != (250, "2.1.5"):
                told[names[to].address] = {
                    (550, "5.5.4"): "reject", (451, "4.5.4"): "defer"}[answer]
    compare(ruled, "helo", told)


def unfelt(mark, accounts):
    """{address: action} of what the client did not feel: the log has a line for
    each, and none where the check is off."""
    for port in PORTS:                  # all is there that came before
        log_lines(MAILREEVE_LOG, f"from=<last@{port}.example>", after=mark,
                  timeout=30)
    lines = log_lines(MAILREEVE_LOG, r": (observe|tag): RCPT .*helo\.not_qua",
                      timeout=0, after=mark)
    logged = [re.search(r": (\w+): RCPT .* to=<(\S+)>", line).groups()
              for line in lines]
    return dict.fromkeys((a.address for a in accounts), "off") | {
        to.replace("+x@", "@"): action for action, to in logged}


def test_logins(ruled, postfix):
    """Who logs in has his own limit, on the port he came to; so has another
    account of ours that he writes to: the stricter counts."""
    postfix(**PATIENT)
    dice = random.Random(ruled.seed)
    able = [a for a in ruled.accounts if a.port in (465, 587)]

    def talk(pair):
        login, other = pair
        own, his = (a.expect("size")[0] for a in pair)
        limits = {OTHER: own, other.address: min(
            (one for one in (own, his) if one), default=None)}
        with connect(login.port, login.address) as client:
            wrong = is_taken(client, limits)
        said = explain("--client", GOOD, "--helo", BARE, "--login",
                       login.address, "--port", str(login.port), "--from",
                       "a@sender.example", "--size", "1", "--rcpt", OTHER,
                       "--rcpt", other.address)
        told = {entry["recipient"]: octets(entry["detail"].rpartition(" ")[2])
                for entry in said["trace"] if entry["check"] == "size" and
                entry["stage"] == "rcpt"}
        return [f"{login.address}, port {login.port}: {some}, not {limits}"
                for some in (wrong, told) if some and some != limits]

    pairs = []
    for _ in range(LOGINS):
        login = dice.choice(able)
        pairs.append((login, dice.choice([a for a in able
                                          if a.port == login.port])))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        wrong = [text for some in pool.map(talk, pairs) for text in some]
    assert not wrong, f"MAILREEVE_SEED={ruled.seed}\n" + "\n".join(wrong[:20])
