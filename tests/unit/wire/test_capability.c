/* tests/unit/wire/test_capability.c - unit tests for relay/wire/capability.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/wire/capability.h"

static void keywords_and_their_values(void **state)
{
	static const struct {
		const char *label, *text;
		unsigned bits;
		uint64_t size;
		uint32_t mail, rcpt;
	} rows[] = {
		{ "greeting alone",        "mx.example.org", 0, 0, 0, 0 },
		{ "greeting is skipped",   "PIPELINING\nDSN", CAP_DSN, 0, 0, 0 },
		{ "any case",              "x\npipelining\n8bitMIME\nSmtpUtf8", CAP_PIPELINING | CAP_8BITMIME | CAP_SMTPUTF8, 0, 0, 0 },
		{ "size",                  "x\nSIZE 52428800", CAP_SIZE, 52428800, 0, 0 },
		{ "size without a number", "x\nSIZE", CAP_SIZE, 0, 0, 0 },
		{ "size zero",             "x\nSIZE 0", CAP_SIZE, 0, 0, 0 },
		{ "size beyond 64 bits",   "x\nSIZE 99999999999999999999", CAP_SIZE, 0, 0, 0 },
		{ "size with nonsense",    "x\nSIZE 12x", CAP_SIZE, 12, 0, 0 },
		{ "auth, both forms",      "x\nAUTH PLAIN LOGIN", CAP_AUTH, 0, 0, 0 },
		{ "auth of old",           "x\nAUTH=LOGIN", CAP_AUTH, 0, 0, 0 },
		{ "limits",                "x\nLIMITS MAILMAX=20  FOO=3 rcptmax=100", CAP_LIMITS, 0, 20, 100 },
		{ "limit beyond 32 bits",  "x\nLIMITS RCPTMAX=4294967296", CAP_LIMITS, 0, 0, 0 },
		{ "unknown and prefixes",  "x\nXFOO\nSIZER 1\nSTART\n\nPIPELININGX", 0, 0, 0, 0 },
		{ "all the others",        "x\nSTARTTLS\nCHUNKING\nENHANCEDSTATUSCODES\nBINARYMIME\nREQUIRETLS",
		  CAP_STARTTLS | CAP_CHUNKING | CAP_ENHANCED | CAP_BINARYMIME | CAP_REQUIRETLS, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct capabilities caps;

		capabilities_parse(rows[i].text, &caps);
		if (caps.bits != rows[i].bits || caps.size_max != rows[i].size || caps.limit_mail != rows[i].mail ||
		    caps.limit_rcpt != rows[i].rcpt)
			fail_msg("%s: bits %x, size %llu, mail %u, rcpt %u", rows[i].label, caps.bits,
			    (unsigned long long)caps.size_max, caps.limit_mail, caps.limit_rcpt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keywords_and_their_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
