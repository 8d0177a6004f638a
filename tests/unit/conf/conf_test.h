/* tests/unit/conf/conf_test.h - what the unit tests of conf/ share. */
#ifndef TESTS_UNIT_CONF_CONF_TEST_H
#define TESTS_UNIT_CONF_CONF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"

/* The password is "secret". */
#define TEST_HASH "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

/* What every good file needs; settings of the machine are given, so that a test means the same everywhere. */
#define TEST_HEAD "hostname: relay.example.net\nuser: root\nlisten: [{at: \"127.0.0.1:2525\"}]\n"

/* Load text that must be good. */
static inline struct conf *load_good(const char *text)
{
	struct conf_faults faults;
	struct conf *conf = conf_load_text("/t/t.yaml", text, strlen(text), &faults);

	if (!conf)
		fail_msg("refused:\n%s", faults.text);
	assert_int_equal(faults.count, 0);
	assert_string_equal(faults.text, "");
	conf_faults_free(&faults);
	return conf;
}

/* What conf_dump prints; malloc'ed. */
static inline char *dump_text(const struct conf *conf)
{
	char *text = NULL, *copy;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	conf_dump(conf, out);
	fclose(out);
	copy = xstrdup(text);
	free(text);
	return copy;
}

#endif
