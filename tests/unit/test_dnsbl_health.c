/* test_dnsbl_health - when a list is taken out, and when it is taken back */
/* SPDX-License-Identifier: ISC */
#include "tests/unit/expect.h"
#include "common/lookup/dnsbl_health.h"

#include <stdlib.h>

static const struct mr_ip no_code;

/* A script, word by word:
 *
 *   +S       S seconds pass
 *   pLUM     a probe: what must be listed, what must not, something made up
 *   sX sX*N  a mail's item, N different ones
 *   =X       the same item as before
 *   vX       something made up, for a mail
 *   t T      a listing that counts, or does not
 *   d D      a probe is due, or is not
 *
 * X is L(isted), o(ther code), c(lear), r(efused), k (parked), ?.  Behind `/`
 * stands the state afterwards: new, well, out, absent. */
static enum mr_dnsbl_says says_of(char letter)
{
	static const char letters[] = "-?cLork";

	return (enum mr_dnsbl_says)(strchr(letters, letter) - letters);
}

struct player {
	struct mr_dnsbl_health health;
	int64_t now_ms;
	uint64_t item;
	const char *script;
	bool ipv6;
};

static void say(struct player *p, const char *word)
{
	long times = word[2] == '*' ? strtol(word + 3, NULL, 10) : 1;

	for (long i = 0; i < times; i++) {
		if (word[0] == 's')
			p->item++;
		mr_dnsbl_health_said(&p->health, says_of(word[1]), &no_code,
			p->item, p->now_ms);
	}
}

static void probe(struct player *p, const char *word)
{
	const struct mr_dnsbl_probe probe = {
		.listed = says_of(word[1]),
		.unlisted = says_of(word[2]),
		.made_up = says_of(word[3]),
		.may_be_absent = p->ipv6,
	};

	mr_dnsbl_health_probed(&p->health, &probe, p->now_ms);
}

static void play_word(struct player *p, const char *word)
{
	static const char *const states[] = { "new", "well", "out", "absent" };

	switch (word[0]) {
	case '+':
		p->now_ms += strtol(word + 1, NULL, 10) * 1000;
		break;
	case 'p':
		probe(p, word);
		break;
	case 's':
	case '=':
		say(p, word);
		break;
	case 'v':
		mr_dnsbl_health_verified(
			&p->health, says_of(word[1]), &no_code, p->now_ms);
		break;
	case 't':
	case 'T':
		expect_number(p->script,
			mr_dnsbl_health_trust(&p->health, p->now_ms),
			word[0] == 't');
		break;
	case 'd':
	case 'D':
		expect_number(p->script,
			mr_dnsbl_health_is_due(&p->health, p->now_ms),
			word[0] == 'd');
		break;
	case '/':
		expect_text(p->script, states[p->health.state], word + 1);
		break;
	default:
		fail_msg("%s: %s", p->script, word);
	}
}

static void play(const char *script, bool ipv6)
{
	struct player player = {
		.script = script, .now_ms = 1000, .ipv6 = ipv6
	};
	char words[512], *next = NULL;

	snprintf(words, sizeof(words), "%s", script);
	for (char *word = strtok_r(words, " ", &next); word != NULL;
		word = strtok_r(NULL, " ", &next))
		play_word(&player, word);
}

static void test_probes(void **state)
{
	static const char *const scripts[] = {
		"d pLcc /well D",
		"pocc /well", /* the test entry may have any code */
		"pccc /out",  /* empty */
		"pLLL /out",
		"pLcL /out", /* a wildcard that spares the test point */
		"pLLc /out",
		"pLco /out",
		"p?cc /out",
		"p??? /out",
		"prrr /out",
		"pkkk /out",
		"pLcr /out",
		/* back only after two good probes in a row */
		"pLLL /out +10 d pLcc /out +10 d pLcc /well",
		"pLLL +10 pLcc +10 p??? +10 pLcc /out +10 pLcc /well",
		/* often while mails ask or it is out, else seldom */
		"pLcc +30 D +569 D +1 d",
		"pLcc sc +29 D +1 d pLcc +30 D",
		"p??? +9 D +1 d",
	};
	static const char *const ipv6[] = {
		"pccc /absent +599 D +1 d pLcc /well +600 pccc /out",
		"p??? /out",
		"pLcL /out",
		"pLcc /well",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		play(scripts[i], false);
	for (size_t i = 0; i < sizeof(ipv6) / sizeof(ipv6[0]); i++)
		play(ipv6[i], true);
	expect_done();
}

static void test_mails(void **state)
{
	static const char *const scripts[] = {
		/* a listing is verified, then so many count for so long */
		"T sL T vc t t t t t T /new",
		"pLcc t t t t t T vc t +5 T vc t",
		"pLcc sL vL /out T",
		"pLcc vo /out",
		"pLcc vr /out",
		"pLcc vk /out",
		"pLcc v? /well v? v? /out",
		/* silence three times, of what is asked or made up */
		"pLcc s? s? /well s? /out",
		"pLcc s? s? sc s? s? /well",
		"pLcc s? s? v? /out",
		"pLcc s? =? =? s? =? /well s? /out",
		"s? s? s? /out +10 d",
		/* refusals and the parked at once */
		"pLcc sr /out",
		"pLcc sk /out",
		"pLcc so /well sc /well",
		/* everything, but the test points are fine */
		"pLcc sL*199 /well sL /out",
		"pLcc so*199 /well so /out",
		"pLcc sL*199 sc sL*199 /well",
		"pLcc sL*199 =L*9 /well sL /out",
		"pLcc sL*200 /out +10 pLcc +10 pLcc +570 pLcc /out +10 pLcc "
		"/well sL*19 /well sL /out",
		"pLcc sL*200 +600 pLcc +10 pLcc /well sc sL*199 /well",
		/* late answers to a list that is out */
		"p??? /out sL*300 sc vc T /out",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		play(scripts[i], false);
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_mails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
