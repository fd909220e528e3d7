"""test_recipients - does the policy know where Postfix really delivers?
SPDX-License-Identifier: ISC

On port 26 Postfix is asked without our milter and with tables of its own; what
is expected comes from there, and from Dovecot's mailboxes.
"""
import pathlib

import pytest
from conftest import reload_postfix, run
from e2e.facts import explain

from world import RawSmtp, log_end, log_lines, mail, wait_for_queue, where

MAIL_LOG = "/var/log/mail.log"
HOSTED = ("alpha", "beta", "gamma", "delta")


def keys(path):
    return [line.split()[0] for line in pathlib.Path(path).read_text()
            .splitlines() if line and line[0] not in "# "]


def addresses():
    """Every address of the tables, and what people make of them."""
    found = keys("/etc/postfix/virtual_mailboxes") + [
        key for key in keys("/etc/postfix/virtual") if key[0] != "@"]
    for address in ("ann@alpha.example", "info@alpha.example",
                    "team@alpha.example", "chain1@alpha.example"):
        local, _, domain = address.partition("@")
        found += [f"{local}+detail@{domain}", f"{local.upper()}@{domain}",
                  f"{local}@{domain.upper()}", f'"{local}"@{domain}',
                  f"{local}+@{domain}", f"{local}+a+b@{domain}",
                  f"{local}-x@{domain}", f"{local}.@{domain}"]
    for domain in HOSTED:
        found += [f"{local}@{domain}.example" for local in
                  ("nobody", "nobody+ann", "+ann", "a b".replace(" ", "."),
                   "root", "postmaster", "ann%beta.example", "ann=beta",
                   "-ann", "x" * 64)]
    found += ["@alpha.example,@beta.example:ann@alpha.example",
              "nobody@sub.alpha.example", "ann@alpha.example.",
              "ann@remote.example", "ann@mx.lab.example", "root@localhost"]
    return list(dict.fromkeys(found))


def own_answer(address):
    """Postfix's, without us: the code, and where the mail went."""
    m = mail("undisclosed@sender.example")
    with RawSmtp(26) as c:
        c.ehlo()
        c.cmd(f"MAIL FROM:<{m.sender}>")
        if c.cmd(f"RCPT TO:<{address}>").code == 250:
            c.data(m)
        return c.last.code, m.subject


@pytest.fixture(scope="module")
def answers():
    """{address: (code, subject)} of all, delivered as far as they get."""
    saved = {name: pathlib.Path("/etc/postfix", name).read_text()
             for name in ("main.cf", "master.cf")}
    run("postconf", "-P", "26/inet/smtpd_milters=",
        "26/inet/smtpd_reject_unlisted_recipient=yes",
        "26/inet/virtual_mailbox_maps=lmdb:/etc/postfix/virtual_mailboxes",
        "26/inet/smtpd_error_sleep_time=0")
    reload_postfix()
    found = {one: own_answer(one) for one in addresses()}
    wait_for_queue(60)
    yield found
    for name, text in saved.items():
        pathlib.Path("/etc/postfix", name).write_text(text)
    reload_postfix()


@pytest.mark.parametrize("address", addresses() if pathlib.Path(
    "/etc/postfix/virtual_mailboxes").exists() else [])
def test_as_postfix(answers, address):
    code, subject = answers[address]
    if code in (501, 553, 554):
        return                          # its form is refused, not who it is
    said = explain("--client", "198.51.100.7", "--helo", "client.example",
                   "--from", "a@sender.example", "--rcpt", address)
    recipient, = said["recipients"]
    if recipient["mailboxes"] is None and said["verdict"] == "accept":
        domain = address.rpartition("@")[2].rstrip(".").lower()
        assert domain not in [f"{name}.example" for name in HOSTED]
        return                          # not ours to judge
    verdict = {2: "accept", 4: "defer", 5: "reject"}[code // 100]
    assert said["verdict"] == verdict, (code, said["rule"])
    if verdict == "accept":
        homes = [user for user, _ in where(subject)]
        assert homes == sorted(recipient["mailboxes"])


def test_tables_that_change(answers):
    """A new alias counts as soon as Postfix has it."""
    table = pathlib.Path("/etc/postfix/virtual")
    before = table.read_text()
    try:
        table.write_text(before + "new@alpha.example eve@alpha.example\n")
        run("postmap", "lmdb:/etc/postfix/virtual")
        mark = log_end(MAIL_LOG)
        m = mail("new@alpha.example")
        with RawSmtp() as c:
            c.ehlo()
            c.cmd(f"MAIL FROM:<{m.sender}>")
            assert c.cmd("RCPT TO:<new@alpha.example>").code == 250
            c.data(m)
        assert where(m.subject, timeout=20) == [("eve@alpha.example",
                                                 "INBOX")]
        log_lines(MAIL_LOG, "orig_to=<new@alpha.example>", after=mark)
    finally:
        table.write_text(before)
        run("postmap", "lmdb:/etc/postfix/virtual")
    with RawSmtp() as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@sender.example>")
        assert c.cmd("RCPT TO:<new@alpha.example>").code == 550
