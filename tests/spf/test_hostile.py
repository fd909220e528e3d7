"""test_hostile - records of people who want us to work, or to fall over
SPDX-License-Identifier: ISC

Whatever a record says, a check is done soon, after few questions.
"""
import resource

import pytest

# questions that decide, and those that were asked ahead (spf.h)
MOST_QUESTIONS = 60 + 40
SOON = 5
MOST_MEMORY = 64 << 20
LONG = 63000                            # octets: DNS carries no more
HOST = "192.0.2.1", "mail.example.net", "a@start.example"


def check(serve, spf, data, **options):
    server = serve({name: value if isinstance(value, list) else [
        {"TXT": value}] for name, value in data.items()})
    result = spf(server, *HOST, "--default-explanation", "DEFAULT", **options)
    assert result.seconds < SOON
    assert len(set(server.questions)) <= MOST_QUESTIONS
    return result


def fill(word, length=LONG):
    return word * (length // len(word))


def chain(length, end):
    """start includes 1.start, that 2.start, and so on."""
    names = ["start.example"] + [f"{i}.start.example"
                                 for i in range(1, length + 1)]
    data = {name: f"v=spf1 include:{below} -all"
            for name, below in zip(names, names[1:])}
    return data | {names[-1]: f"v=spf1 {end}"}


LONG_RECORDS = {
    "addresses": ("v=spf1 " + fill("ip4:192.0.2.2 ") + "-all", "fail"),
    "blanks": ("v=spf1 " + fill(" ") + "-all", "fail"),
    "hosts": ("v=spf1 " + fill("a ") + "-all", "permerror"),
    "existing": ("v=spf1 " + fill("exists:%{i}.start.example "), "permerror"),
    "modifiers": ("v=spf1 " + fill("x=%{s} ") + "-all", "fail"),
    "macros": ("v=spf1 exists:" + fill("%{d}") + ".example", "permerror"),
    "reversed": ("v=spf1 exists:" + fill("%{S9r.-}") + ".example",
                 "permerror"),
    "one word": ("v=spf1 " + fill("a"), "permerror"),
    "one name": ("v=spf1 a:" + fill("a.") + "example -all", "permerror"),
    "no word": ("v=spf1 " + fill("-"), "permerror"),
    "octets": ("v=spf1 " + "".join(map(chr, range(256))), "permerror"),
    # a modifier that nobody knows
    "version": (fill("v=spf1 "), "neutral"),
}


@pytest.mark.parametrize("record, result", LONG_RECORDS.values(),
                         ids=LONG_RECORDS)
def test_long_record(serve, spf, record, result):
    assert check(serve, spf, {"start.example": record}).word == result


# CVE-2023-42118
OVERFLOW = "%{d}" * 127 + "a"


def test_overflow_in_term(serve, spf):
    record = f"v=spf1 exists:{OVERFLOW}.%{{d}} -all"
    assert check(serve, spf, {"start.example": record}).word == "fail"


def test_overflow_in_explanation(serve, spf):
    result = check(serve, spf, {"start.example": "v=spf1 -all exp=e.%{d}",
                                "e.start.example": OVERFLOW})
    assert result.word == "fail"
    assert result.explanation == "start.example" * 127 + "a"


@pytest.mark.parametrize("text", [
    fill("%{s}"), fill("%{S}") + "x", fill("%{p}"), "%{d", "\r\nx", "\x1b[2J",
    "caf\u00e9"], ids=["s", "S", "p", "open", "lines", "escape", "utf8"])
def test_unusable_explanation(serve, spf, text):
    result = check(serve, spf, {"start.example": "v=spf1 -all exp=e.%{d}",
                                "e.start.example": text})
    assert result.word == "fail"
    # as many %{p} as fit are "unknown" and short enough
    if "%{p}" not in text:
        assert result.explanation == "DEFAULT"


def test_explanation_is_harmless(serve, spf):
    server = serve({"start.example": [{"TXT": "v=spf1 -all exp=e.%{d}"}],
                    "e.start.example": [{"TXT": "no, %{l} %{h}"}]})
    result = spf(server, "192.0.2.1", "a\r\nb", "\x1b[2J\n@start.example")
    assert result.explanation == "no, ?[2J? a??b"


def test_depth(serve, spf):
    assert check(serve, spf, chain(10, "+all")).word == "pass"
    assert check(serve, spf, chain(11, "+all")).word == "permerror"
    assert check(serve, spf, chain(200, "+all")).word == "permerror"


LOOPS = {
    "include": {"start.example": "v=spf1 include:start.example -all"},
    "redirect": {"start.example": "v=spf1 redirect=start.example"},
    "both": {"start.example": "v=spf1 include:b.example -all",
             "b.example": "v=spf1 redirect=start.example"},
    "ten at once": {"start.example": "v=spf1" + " include:start.example" * 10},
    "growing": {"start.example": "v=spf1 include:%{d}.%{d} -all"},
    "alias": {"start.example": [{"CNAME": "b.example"}],
              "b.example": [{"CNAME": "start.example"}]},
}


@pytest.mark.parametrize("data", LOOPS.values(), ids=LOOPS)
def test_loop(serve, spf, data):
    assert check(serve, spf, data).word in ("permerror", "temperror")


def test_tree(serve, spf):
    """Ten includes, each of ten: 10^n questions for who follows them all."""
    data = {"start.example": "v=spf1 " + " ".join(
        f"include:{i}.start.example" for i in range(10))}
    for i in range(10):
        data[f"{i}.start.example"] = "v=spf1 " + " ".join(
            f"include:{k}.{i}.start.example" for k in range(10))
        for k in range(10):
            data[f"{k}.{i}.start.example"] = "v=spf1 ?all"
    assert check(serve, spf, data).word == "permerror"


def test_memory(serve, spf):
    """Long names to ask for, in as many records as will be read."""
    names = [f"{i}.start.example" for i in range(10)]
    data = {"start.example": "v=spf1 " + " ".join(
        f"include:{name}" for name in names)}
    for name in names:
        longest = fill("%{d}", 32000 * 4 // len(name))
        data[name] = "v=spf1 " + " ".join([f"exists:{longest}"] * 7)
    assert check(serve, spf, data).word == "permerror"
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(used)
    assert used < MOST_MEMORY


def test_hosts(serve, spf):
    """Ten mx of ten hosts each: 111 questions by the RFC's limits alone."""
    hosts = [{"MX": [1, f"{i}.host.example"]} for i in range(10)]
    data = {f"{i}.start.example": hosts for i in range(10)}
    data |= {f"{i}.host.example": [{"A": "192.0.2.2"}] for i in range(10)}
    data["start.example"] = "v=spf1 " + " ".join(
        f"mx:{i}.start.example" for i in range(10))
    result = check(serve, spf, data)
    assert result.word == "permerror"
    assert "60 questions" in result.why


def test_eleven_hosts(serve, spf):
    data = {"start.example": [{"TXT": "v=spf1 mx -all"}] + [
        {"MX": [1, f"{i}.host.example"]} for i in range(11)]}
    assert check(serve, spf, data).word == "permerror"


def test_many_names_of_client(serve, spf):
    """Only ten are looked at; which, is the server's choice."""
    data = {"1.2.0.192.in-addr.arpa": [{"PTR": f"{i}.start.example"}
                                       for i in range(500)]}
    data |= {f"{i}.start.example": [{"A": "192.0.2.2"}] for i in range(500)}
    data["start.example"] = "v=spf1 ptr exists:%{p}.%{p}.x ptr -all"
    assert check(serve, spf, data).word == "fail"


def test_many_records(serve, spf):
    data = {"start.example": [{"TXT": "v=spf1 -all"}] * 500}
    assert check(serve, spf, data).word == "permerror"


def test_silence(serve, spf):
    server = serve({"start.example": [
        {"TXT": "v=spf1 include:silent.example -all"}],
        "silent.example": ["TIMEOUT"]})
    result = spf(server, *HOST, wait="1s")
    assert (result.word, result.status) == ("temperror", 75)
    assert result.seconds < 3


def test_silence_about_the_client(serve, spf):
    """A ptr that cannot be asked is no match, but no time is a temperror."""
    server = serve({"start.example": [{"TXT": "v=spf1 ptr -all"}],
                    "1.2.0.192.in-addr.arpa": ["TIMEOUT"]})
    assert spf(server, *HOST, wait="1s").word == "temperror"


def test_slow_chain(serve, spf):
    """Each answer comes in time, all of them together do not."""
    data = {name: [{"TXT": text}] for name, text in chain(10, "+all").items()}
    result = spf(serve(data, delay=0.3), *HOST, wait="1s")
    assert result.word == "temperror"
    assert result.seconds < 2


def test_failures_are_asked_seldom(serve, spf):
    """Records that cannot be had, and that evaluation never comes to."""
    data = {"start.example": [{"TXT": "v=spf1 " + " ".join(
        f"include:{i}.start.example" for i in range(8)) + " -all"}]}
    data |= {f"{i}.start.example": [{"TXT": "v=spf1 ?all"}] for i in range(7)}
    data["7.start.example"] = [{"TXT": "v=spf1 exists:start.example " +
                                " ".join(f"include:{i}.loop.example"
                                         for i in range(9))}]
    data["start.example"].append({"A": "127.0.0.2"})
    # the server answers a loop of aliases with SERVFAIL
    data |= {f"{i}.loop.example": [{"CNAME": f"{i}.loop.example"}]
             for i in range(9)}
    server = serve(data)
    assert spf(server, *HOST).word == "pass"
    assert len(server.questions) <= MOST_QUESTIONS
