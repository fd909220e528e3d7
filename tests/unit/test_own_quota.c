/* test_own_quota - what a userdb's quota fields allow. */
/* SPDX-License-Identifier: ISC */
#include "common/base/units.h"
#include "common/policy/own_quota.h"
#include "tests/unit/expect.h"

/* Dovecot 2.3's and 2.4's ways to say it; false: it cannot be told. */
static const struct {
	const char *field;
	bool told;
	uint64_t octets;
} fields[] = {
	{ "quota_rule=*:storage=100", true, 100 * 1024 },
	{ "quota_rule=*:storage=100M", true, 100 << 20 },
	{ "quota_rule=*:storage=2GB:messages=10", true, 2ULL << 30 },
	{ "quota_rule2=*:messages=10:bytes=7", true, 7 },
	{ "quota_rule=?:bytes=7k", true, 7 * 1024 },
	{ "quota_rule=*:storage=0", true, MR_UNLIMITED },
	{ "quota_rule=*:storage=+1G", false, 0 },
	{ "quota_rule=*:storage=10%", false, 0 },
	{ "quota_rule=*:ignore:storage=1", false, 0 },
	{ "quota_storage_size=100", true, 100 },
	{ "quota_storage_size=100 M", true, 100 << 20 },
	{ "quota/User quota/quota_storage_size=1GiB", true, 1 << 30 },
	{ "quota_storage_size=5B", true, 5 },
	{ "quota_storage_size=5BB", false, 0 },
	{ "quota_storage_size=0", true, MR_UNLIMITED },
	{ "quota_storage_size=unlimited", false, 0 },
	{ "quota_storage_size=", false, 0 },
	{ "quota_storage_size=99999999999999999999", false, 0 },
	{ "quota_storage_size=99999999999T", false, 0 },
};

static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t octets = 0;
		bool told = mr_own_quota_parse(fields[i].field, &octets);

		expect_number(fields[i].field, told, fields[i].told);
		if (told)
			expect_number(fields[i].field, (long long)octets,
				(long long)fields[i].octets);
	}
	expect_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
