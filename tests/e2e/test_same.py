"""test_same - milter and policy daemon do what `mailreeve explain' says, case
by case
SPDX-License-Identifier: ISC

The corpus of tests/cases goes through a running milter, and through a policy
daemon that runs alone; verdict, codes, text, rule and place must be those of
explain.  Nothing is compared with what a case expects: tests/cases/run does
that.
"""
import argparse
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cases"))
import corpus                                                   # noqa: E402
from milterd import Milter                                      # noqa: E402
from policyd import Policyd                                     # noqa: E402
from world.policy import instance                               # noqa: E402

LINE = re.compile(r": (?P<action>reject|defer|tag|accept): (?P<stage>\S+) from "
                  r".*?; from=<[^>]*>(?: to=<(?P<to>[^>]*)>)?.*?"
                  r"(?: rule=(?P<rule>\S+) at=(?P<at>\S+))? id=\w+$")
ID = re.compile(r" \(id \w+\)$")
NOTHING = dict.fromkeys(("code", "enhanced", "text", "rule", "at"))


def options(arguments):
    """The arguments of a case, as explain understands them."""
    parser = argparse.ArgumentParser()
    for name in ("client", "helo", "from", "size", "login", "tls",
                 "client-name", "true-size"):
        parser.add_argument("--" + name)
    parser.add_argument("--port", default="25")
    parser.add_argument("--rcpt", action="append")
    parser.add_argument("--header", action="append", default=[])
    return parser.parse_args(arguments)


def octets(text):
    factors = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    if text is None:
        return None
    return int(text.rstrip("KMG")) * factors.get(text[-1], 1)


def bare(address):
    return address.strip("<>")


class Player:
    """One mail, told to a program as Postfix would."""

    def __init__(self, daemon, case):
        self.daemon = daemon
        self.told = options(case.arguments)
        with open(daemon.log, "rb") as log:
            self.read_from = log.seek(0, os.SEEK_END)

    def log(self):
        with open(self.daemon.log, "rb") as log:
            log.seek(self.read_from)
            text = log.read().decode("utf-8", "replace")
        return [match for line in text.splitlines()
                if (match := LINE.search(line))]

    def refusal(self, code, enhanced, text, stage, to=None):
        """What was answered, and which rule the log names for it."""
        verdict = {"5": "reject", "4": "defer"}[str(code)[0]]
        logged = [line for line in self.log()
                  if line["action"] == verdict and line["stage"] == stage and
                  line["to"] == to]
        assert logged, f"no line of the log for {code} {text} to {to}"
        assert ID.search(text), text
        return {"verdict": verdict, "code": code, "enhanced": enhanced,
                "text": ID.sub("", text).removeprefix(enhanced + " "),
                "rule": logged[-1]["rule"], "at": logged[-1]["at"]}

    def acceptance(self, to):
        for line in self.log():
            if line["action"] == "tag" and line["to"] == to:
                return {**NOTHING, "verdict": "tag", "rule": line["rule"],
                        "at": line["at"]}
        return {**NOTHING, "verdict": "accept"}

    def play(self):
        at_mail = self.begin()
        if at_mail:
            return {**at_mail, "recipients": []}
        found = [[bare(to), self.recipient(bare(to))] for to in self.told.rcpt]
        if any(answer is None for _, answer in found):
            at_end = self.end()
            for each in found:
                each[1] = each[1] or at_end or self.acceptance(each[0])
        answers = [answer for _, answer in found]
        return {**summary(answers), "recipients": [
            {"address": to, **answer} for to, answer in found]}


class MilterPlayer(Player):
    def answer(self, reply, *where):
        """None: it was accepted."""
        if reply.ok:
            return None
        # a milter writes %% for %, which Postfix undoes
        return self.refusal(reply.code, reply.enhanced,
                            reply.text.replace("%%", "%"), *where)

    def begin(self):
        told = self.told
        self.m = self.daemon.client()
        tls = {"{tls_version}": told.tls} if told.tls else {}
        login = {"{auth_authen}": told.login} if told.login else {}
        self.m.connect(told.client_name or "unknown", told.client,
                       {"{daemon_port}": told.port, "{daemon_name}": "smtpd"})
        if told.helo:
            self.m.helo(told.helo, tls or None)
        size = [f"SIZE={octets(told.size)}"] if told.size else []
        return self.answer(self.m.mail(
            f"<{bare(getattr(told, 'from'))}>", *size,
            macros={**tls, **login} or None), "MAIL")

    def recipient(self, to):
        return self.answer(self.m.rcpt(f"<{to}>"), "RCPT", to)

    def end(self):
        size = octets(self.told.true_size or self.told.size)
        headers = self.told.header
        if size is not None and size >= 8 and not headers:
            headers = ["A: b"]
        for header in headers:
            name, _, value = header.partition(":")
            self.m.header(name, value)
        self.m.eoh()
        if size is not None:
            rest = size - sum(len(h) + 2 for h in headers) - len("\r\n")
            self.m.body(b"x" * max(rest, 0))
        return self.answer(self.m.eom(), "END-OF-MESSAGE")


class PolicyPlayer(Player):
    """Postfix asks about the first recipient what a milter is told before."""

    def ask(self, state, recipient, size):
        told = self.told
        return self.p.ask(
            protocol_state=state, instance=self.mail, recipient=recipient,
            size=octets(size) or 0, sender=bare(getattr(told, "from")),
            helo_name=told.helo or "", client_address=told.client,
            client_name=told.client_name or "unknown",
            reverse_client_name="unknown", server_port=told.port,
            sasl_username=told.login or "",
            encryption_protocol=told.tls or "")

    def answer(self, action, *where):
        """None: it was accepted."""
        if action == "DUNNO" or action.startswith("PREPEND X-Mailreeve"):
            return None
        code, enhanced, text = action.split(" ", 2)
        return self.refusal(int(code), enhanced, text, *where)

    def begin(self):
        self.p, self.mail = self.daemon.client(), instance()
        action = self.ask("RCPT", bare(self.told.rcpt[0]), self.told.size)
        if any(line["stage"] == "MAIL" and line["action"] != "accept"
               for line in self.log()):
            return self.answer(action, "MAIL")
        return None

    def recipient(self, to):
        return self.answer(self.ask("RCPT", to, self.told.size), "RCPT", to)

    def end(self):
        last = self.told.rcpt[0] if len(self.told.rcpt) == 1 else ""
        return self.answer(
            self.ask("END-OF-MESSAGE", bare(last),
                     self.told.true_size or self.told.size), "END-OF-MESSAGE")


def summary(answers):
    """What the sender is left with: accepted for one is accepted."""
    for verdict in ("tag", "accept", "defer", "reject"):
        for answer in answers:
            if answer["verdict"] == verdict:
                return answer
    raise AssertionError("no answer")


def without_id(answer):
    text = answer["text"]
    return {name: answer[name] for name in ("verdict", *NOTHING)} | {
        "text": text and ID.sub("", text)}


def compared(answer):
    return {"mail": without_id(answer),
            "recipients": [(each["address"], without_id(each))
                           for each in answer["recipients"]]}


CASES = corpus.read_all()
POLICIES = sorted({case.policy for case in CASES})


FRONTS = {"milter": (Milter, MilterPlayer, ""),
          "policyd": (Policyd, PolicyPlayer, "judge = policyd\n")}


@pytest.fixture(scope="module", params=POLICIES, ids=lambda path: path.stem)
def policy(request):
    return request.param


@pytest.fixture(scope="module", params=FRONTS)
def front(request, policy, tmp_path_factory):
    daemon, player, first = FRONTS[request.param]
    folder = tmp_path_factory.mktemp(policy.stem)
    with daemon(folder, policy.read_text() + first) as running:
        yield running, player


def test_the_corpus_is_there():
    assert len(CASES) > 60


def test_it_does_what_explain_says(front, policy):
    running, player = front
    wrong = []
    for case in CASES:
        if case.policy != policy:
            continue
        said = compared(corpus.explain(case, running.path))
        done = compared(player(running, case).play())
        if said != done:
            wrong.append(f"{case.name} ({case.place})\n  explain {said}\n"
                         f"  {running.section}  {done}")
    assert not wrong, "\n".join(wrong)
