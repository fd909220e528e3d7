"""test_suite - the test suite of RFC 7208, explanations and all
SPDX-License-Identifier: ISC

tests/data/rfc7208-tests.yml has its own licence beside it.
"""
import pathlib

import pytest
import yaml

SUITE = pathlib.Path(__file__).parents[1] / "data/rfc7208-tests.yml"
# all of it, and those that say what the explanation is
TESTS, EXPLAINED = 203, 22
DEFAULT = "DEFAULT"


def every_test():
    with open(SUITE, encoding="utf-8") as file:
        for scenario in filter(None, yaml.safe_load_all(file)):
            for name, test in scenario["tests"].items():
                yield pytest.param(scenario["zonedata"], test, id=name)


def test_suite_is_whole():
    every = [param.values[1] for param in every_test()]
    assert len(every) == TESTS
    assert sum("explanation" in test for test in every) == EXPLAINED


@pytest.mark.parametrize("data, test", every_test())
def test_rfc7208(serve, spf, data, test):
    # where the server is silent, we need not wait for long
    wait = "1s" if "TIMEOUT" in str(data) else "20s"
    result = spf(serve(data), test["host"], test["helo"], test["mailfrom"],
                 "--default-explanation", DEFAULT, wait=wait)
    wanted = test["result"]
    assert result.word in (wanted if isinstance(wanted, list) else [wanted])
    if "explanation" in test:
        assert result.explanation == test["explanation"]
