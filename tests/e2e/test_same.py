"""test_same - the milter does what `mailreeve explain' says, case by case
SPDX-License-Identifier: ISC

The corpus of tests/cases goes through a running milter; verdict, codes, text,
rule and place must be those of explain.  Nothing is compared with what a case
expects: tests/cases/run does that.
"""
import argparse
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cases"))
import corpus                                                   # noqa: E402
from milterd import Milter                                      # noqa: E402

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


class Player:
    """One mail, told to a milter as Postfix would."""

    def __init__(self, milter, case):
        self.milter = milter
        self.told = options(case.arguments)
        with open(milter.log, "rb") as log:
            self.read_from = log.seek(0, os.SEEK_END)

    def log(self):
        with open(self.milter.log, "rb") as log:
            log.seek(self.read_from)
            text = log.read().decode("utf-8", "replace")
        return [match for line in text.splitlines()
                if (match := LINE.search(line))]

    def refusal(self, reply, stage, to=None):
        """What was answered, and which rule the log names for it."""
        verdict = {"5": "reject", "4": "defer"}[str(reply.code)[0]]
        logged = [line for line in self.log()
                  if line["action"] == verdict and line["stage"] == stage and
                  line["to"] == to]
        assert logged, f"no line of the log for {reply} to {to}"
        assert ID.search(reply.text), reply.text
        return {"verdict": verdict, "code": reply.code,
                "enhanced": reply.enhanced,
                # a milter writes %% for %, which Postfix undoes
                "text": ID.sub("", reply.text).replace("%%", "%")
                .removeprefix(reply.enhanced + " "),
                "rule": logged[-1]["rule"], "at": logged[-1]["at"]}

    def acceptance(self, to):
        for line in self.log():
            if line["action"] == "tag" and line["to"] == to:
                return {**NOTHING, "verdict": "tag", "rule": line["rule"],
                        "at": line["at"]}
        return {**NOTHING, "verdict": "accept"}

    def content(self, m):
        size = octets(self.told.true_size or self.told.size)
        headers = self.told.header
        if size is not None and size >= 8 and not headers:
            headers = ["A: b"]
        for header in headers:
            name, _, value = header.partition(":")
            m.header(name, value)
        m.eoh()
        if size is not None:
            rest = size - sum(len(h) + 2 for h in headers) - len("\r\n")
            m.body(b"x" * max(rest, 0))
        return m.eom()

    def play(self):
        told = self.told
        m = self.milter.client()
        tls = {"{tls_version}": told.tls} if told.tls else {}
        login = {"{auth_authen}": told.login} if told.login else {}
        m.connect(told.client_name or "unknown", told.client,
                  {"{daemon_port}": told.port, "{daemon_name}": "smtpd"})
        if told.helo:
            m.helo(told.helo, tls or None)
        size = [f"SIZE={octets(told.size)}"] if told.size else []
        reply = m.mail(f"<{getattr(told, 'from').strip('<>')}>", *size,
                       macros={**tls, **login} or None)
        if not reply.ok:
            return {**self.refusal(reply, "MAIL"), "recipients": []}
        recipients = self.recipients(m)
        if any(answer is None for _, answer in recipients):
            reply = self.content(m)
            for each in recipients:
                if each[1] is None:
                    each[1] = (self.acceptance(each[0]) if reply.ok else
                               self.refusal(reply, "END-OF-MESSAGE"))
        m.quit()
        answers = [answer for _, answer in recipients]
        return {**summary(answers), "recipients": [
            {"address": to, **answer} for to, answer in recipients]}

    def recipients(self, m):
        """[address, refusal or None] of each."""
        found = []
        for to in self.told.rcpt:
            reply = m.rcpt(f"<{to.strip('<>')}>")
            to = to.strip("<>")
            found.append([to, None if reply.ok else
                          self.refusal(reply, "RCPT", to)])
        return found


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


@pytest.fixture(scope="module", params=POLICIES, ids=lambda path: path.stem)
def milter(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.stem)
    with Milter(folder, request.param.read_text()) as running:
        running.of = request.param
        yield running


def test_the_corpus_is_there():
    assert len(CASES) > 60


def test_the_milter_does_what_explain_says(milter):
    wrong = []
    for case in CASES:
        if case.policy != milter.of:
            continue
        said = compared(corpus.explain(case, milter.path))
        done = compared(Player(milter, case).play())
        if said != done:
            wrong.append(f"{case.name} ({case.place})\n  explain {said}\n"
                         f"  milter  {done}")
    assert not wrong, "\n".join(wrong)
