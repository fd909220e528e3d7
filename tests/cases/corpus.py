"""corpus - the policy cases: how they are written, played and compared
SPDX-License-Identifier: ISC

NAME.case belongs to the policy NAME.conf.  A case is a line, and lines that
begin with a blank continue it:

    name: ARGUMENTS => EXPECTED [; ADDRESS EXPECTED]...

ARGUMENTS are those of `mailreeve explain', behind those of the last line
`base: ARGUMENTS'.  EXPECTED is what the whole mail (or the one recipient)
gets, in this order, and what is left out is not compared:

    reject 550 5.1.1 recipient.unknown @ "action = reject" ~ "no such"

A verdict, the reply's codes, the rule, @ where it was set (a line's number, or
what that line of the policy says, or default), ~ what the reply's text has.
Words are quoted as in a shell; @ ~ ; and => stand alone.  Names are looked up
in the lab's zone, tests/world/zone.
"""
import dataclasses
import json
import os
import pathlib
import re
import shlex
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ZONE = HERE.parent / "world/zone"
VERDICTS = ("accept", "tag", "defer", "reject")


class Mistake(Exception):
    """A case that is not written as it should be."""


@dataclasses.dataclass
class Expected:
    verdict: str
    code: int | None = None
    enhanced: str | None = None
    rule: str | None = None
    at: str | None = None
    text: str | None = None

    def __str__(self):
        words = [self.verdict, self.code, self.enhanced, self.rule,
                 self.at and "@ " + self.at, self.text and "~ " + self.text]
        return " ".join(str(word) for word in words if word is not None)


@dataclasses.dataclass
class Case:
    name: str
    place: str
    policy: pathlib.Path
    arguments: list
    expected: Expected
    recipients: dict

    def __str__(self):
        return f"{self.policy.stem}: {self.name}"


def read_expected(words):
    words = list(words)
    if not words or words[0] not in VERDICTS:
        raise Mistake(f"{' '.join(words)!r} begins with none of {VERDICTS}")
    expected = Expected(words.pop(0))
    if words and re.fullmatch(r"[45]\d\d", words[0]):
        expected.code = int(words.pop(0))
    if words and re.fullmatch(r"[245]\.\d+\.\d+", words[0]):
        expected.enhanced = words.pop(0)
    if words and re.fullmatch(r"[a-z]\w*\.\w+", words[0]):
        expected.rule = words.pop(0)
    while len(words) > 1 and words[0] in ("@", "~"):
        setattr(expected, "at" if words[0] == "@" else "text", words[1])
        del words[:2]
    if words:
        raise Mistake(f"cannot read {' '.join(words)!r}")
    return expected


def split_at(words, separator):
    parts = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def read_case(name, place, policy, base, words):
    parts = split_at(words, "=>")
    if len(parts) != 2:
        raise Mistake("a case has one =>")
    whole, *recipients = split_at(parts[1], ";")
    return Case(name, place, policy, base + parts[0], read_expected(whole),
                {words[0]: read_expected(words[1:]) for words in recipients})


def lines(path):
    """(number, text) of each line, continued ones joined."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and found:
            found[-1][1] += " " + line.strip()
        else:
            found.append([number, line])
    return found


def read(path):
    """The cases of a file."""
    path = pathlib.Path(path)
    policy = path.with_suffix(".conf")
    base, cases = [], []
    for number, line in lines(path):
        place = f"{path.name}:{number}"
        name, colon, rest = line.partition(":")
        try:
            if not colon:
                raise Mistake("a case begins with its name and a colon")
            words = shlex.split(rest)
            if name == "base":
                base = words
            else:
                cases.append(read_case(name, place, policy, base, words))
        except (Mistake, ValueError) as mistake:
            raise Mistake(f"{place}: {mistake}") from None
    return cases


def read_all(paths=()):
    paths = paths or sorted(HERE.glob("*.case"))
    return [case for path in paths for case in read(path)]


def program():
    """$MAILREEVE, or that of this tree's build, or the installed one."""
    built = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                         "../../build/cli/mailreeve")
    return os.environ.get(
        "MAILREEVE", built if os.path.exists(built) else "mailreeve")


def explain(case, policy=None):
    """What `mailreeve explain --json' says."""
    argv = [program(), "explain", "-c", str(policy or case.policy), "--json",
            "--zone", str(ZONE), *case.arguments]
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=60,
                            capture_output=True, text=True)
    if result.returncode not in (0, 1):
        raise Mistake(f"{shlex.join(argv)}: exit status {result.returncode}\n"
                      f"{result.stderr}")
    answer = json.loads(result.stdout)
    if result.returncode != (answer["verdict"] in ("defer", "reject")):
        raise Mistake(f"exit status {result.returncode} for a verdict of "
                      f"{answer['verdict']}")
    return answer


def is_at(at, expected, policy):
    """Is FILE:LINE the line that is expected?"""
    if expected == "default" or at in (None, "default"):
        return at == expected
    number = int(at.rpartition(":")[2])
    if expected.isdigit():
        return number == int(expected)
    line = policy.read_text().splitlines()[number - 1]
    return " ".join(expected.split()) in " ".join(line.split())


def agrees(answer, expected, policy):
    for name in ("verdict", "code", "enhanced", "rule"):
        want = getattr(expected, name)
        if want is not None and answer[name] != want:
            return False
    if expected.at is not None and not is_at(answer["at"], expected.at, policy):
        return False
    return expected.text is None or expected.text in (answer["text"] or "")


def shown(answer):
    words = [answer[name] for name in
             ("verdict", "code", "enhanced", "rule", "at", "text")]
    return " ".join(str(word) for word in words if word is not None)


def differences(case, answer):
    """(whose, got, want) of all that is not as expected."""
    found = []
    if not agrees(answer, case.expected, case.policy):
        found.append(("the mail", shown(answer), str(case.expected)))
    given = {each["address"]: each for each in answer["recipients"]}
    for address, expected in case.recipients.items():
        each = given.get(address)
        if each is None:
            found.append((address, "not judged", str(expected)))
        elif not agrees(each, expected, case.policy):
            found.append((address, shown(each), str(expected)))
    return found
