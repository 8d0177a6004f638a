/* tests/support/dns_conf.h - a configuration for tests that look names up. */
#ifndef TESTS_SUPPORT_DNS_CONF_H
#define TESTS_SUPPORT_DNS_CONF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"

/* A small good file with these settings behind it. */
static inline struct conf *dns_conf_load(const char *settings)
{
	char *text = xasprintf("hostname: relay.example.net\nuser: root\nlisten: [{at: \"127.0.0.1:2525\"}]\n%s", settings);
	struct conf_faults faults;
	struct conf *conf = conf_load_text("/t/t.yaml", text, strlen(text), &faults);

	if (!conf)
		fail_msg("refused:\n%s\n%s", faults.text, text);
	conf_faults_free(&faults);
	free(text);
	return conf;
}

#endif
