/* tests/unit/relay/test_intake_extra.c - extensions of the SMTP server: DSN, BINARYMIME, REQUIRETLS. */
#include "tests/unit/relay/intake_world.h"

#include "tests/unit/net/certificate.h"

static const char SETTINGS[] =
    "hostname: relay.test\n"
    "tls: {cert: /nonexistent/cert.pem, key: /nonexistent/key.pem}\n"
    "listen:\n"
    "  - {at: \"127.0.0.1:2525\"}\n"
    "  - {at: \"127.0.0.1:2526\", tls: implicit}\n"
    "limits: {message: 1M}\n"
    "tenants:\n"
    "  - {name: shop, from: [10.0.0.0/8], pool: default}\n"
    "  - {name: codes, from: [10.2.0.0/16], priority_raise: true}\n"
    "  - {name: letters, from: [10.3.0.0/16], priority: bulk}\n"
    "  - {name: short, from: [10.4.0.0/16], expire: 2h}\n"
    "retry: {expire: 3d, expire_transactional: 1d, expire_bulk: 4d}\n";

static struct certificate certificate;

static int setup_group(void **state)
{
	loop_setup();
	certificate_create(&certificate);
	return 0;
}

static int teardown_group(void **state)
{
	certificate_remove(&certificate);
	return 0;
}

static int setup(void **state)
{
	const char *warning;

	world_create(SETTINGS);
	world.tls = tls_server_create(certificate.cert, certificate.key, &warning, NULL);
	return world.tls != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	world_destroy();
	return 0;
}

#define HELLO "< 220\n> EHLO c.test\n~ 250 \n"

static void what_the_sender_wants_to_know_is_stored(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("a message", HELLO "> MAIL FROM:<a@b.test> RET=HDRS ENVID=job+2B17\n< 250\n"
	    "> RCPT TO:<z@z.test> NOTIFY=NEVER\n< 250\n> RCPT TO:<c@d.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2B@d.test\n< 250\n"
	    "> RCPT TO:<e@d.test>\n< 250\n> RCPT TO:<c@d.test> NOTIFY=NEVER\n< 250\n> DATA\n< 354\n> .\n< 250 2.0.0 queued");
	assert_string_equal(store.message.rcpts, "0/0 c@d.test 1/0 e@d.test 2/2 z@z.test");
	assert_string_equal(store.message.asked, "10 rfc822;x+2B@d.test 0  1 ");
	assert_string_equal(store.message.envid, "job+2B17");
	assert_int_equal(store.message.flags, MSG_RET_HDRS);
}

/* RFC 3030 section 3: any bytes, in any number of chunks. */
static void binary_content_is_stored_byte_for_byte(void **state)
{
	static const char content[] = "Subject: x\r\n\r\na\nb\rc\0d\r\n.\r\ne\r";
	char command[64];

	for (size_t cut = 1; cut < sizeof(content) - 1; cut++) {
		hello_from("10.0.0.1", 0, NULL);
		play("begin", HELLO "> MAIL FROM:<a@b.test> BODY=BINARYMIME\n< 250\n> RCPT TO:<c@d.test>\n< 250");
		say(command, (size_t)snprintf(command, sizeof(command), "BDAT %zu\r\n", cut));
		say(content, cut);
		play("first", "< 250 2.0.0");
		say(command, (size_t)snprintf(command, sizeof(command), "BDAT %zu LAST\r\n", sizeof(content) - 1 - cut));
		say(content + cut, sizeof(content) - 1 - cut);
		play("last", "< 250 2.0.0 queued");
		assert_int_equal(store.message.flags, MSG_8BIT | MSG_BINARY);
		assert_memory_equal(body(), content, sizeof(content) - 1);
	}
}

static void requiretls_is_offered_and_stored_on_tls(void **state)
{
	hello_from("10.0.0.1", 1, NULL);
	play("a message", "tls\n< 220\n> EHLO c.test\n~ 250-REQUIRETLS\n~ 250 \n> MAIL FROM:<a@b.test> REQUIRETLS\n< 250\n> RCPT TO:<c@d.test>\n< 250\n"
	    "> DATA\n< 354\n> .\n< 250 2.0.0 queued");
	assert_int_equal(store.message.flags, MSG_TLS | MSG_REQUIRETLS);
}

static void tls_required_no_sets_the_wishes_of_domains_aside_but_for_requiretls(void **state)
{
	static const struct {
		const char *parameter, *field;
		uint32_t want;
	} rows[] = {
		{ "", "TLS-Required: No", MSG_TLS | MSG_TLS_OPTIONAL }, { "", "tls-required:no ", MSG_TLS | MSG_TLS_OPTIONAL },
		{ "", "TLS-Required: Yes", MSG_TLS }, { "", "X-TLS-Required: No", MSG_TLS },
		{ " REQUIRETLS", "TLS-Required: No", MSG_TLS | MSG_REQUIRETLS },
	};

	hello_from("10.0.0.1", 1, NULL);
	play("TLS", "tls\n< 220\n> EHLO c.test\n~ 250-REQUIRETLS\n~ 250 \n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *script = xasprintf("> MAIL FROM:<a@b.test>%s\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 354\n> Subject: x\n> %s\n> \n> .\n"
		    "< 250 2.0.0 queued", rows[i].parameter, rows[i].field);

		play(rows[i].field, script);
		if (store.message.flags != rows[i].want)
			fail_msg("%s, %s: flags %x", rows[i].parameter, rows[i].field, store.message.flags);
		free(script);
	}
}

static void delivery_is_put_off_and_the_deadline_with_it(void **state)
{
	wall_ms wait;

	hello_from("10.0.0.1", 0, NULL);
	play("a message", HELLO "> MAIL FROM:<a@b.test> HOLDFOR=3600\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 354\n> .\n< 250 2.0.0 queued");
	wait = store.message.deadline - store.message.arrived - world.conf->retry.expire_ms;
	assert_in_range(wait, SECONDS(3590), SECONDS(3600));
	assert_in_range(store.message.next - store.message.arrived, SECONDS(3590), SECONDS(3600));
}

static void a_priority_is_kept_within_what_the_tenant_may_and_decides_the_deadline(void **state)
{
	static const struct {
		const char *label, *client, *parameter, *reply;
		int priority;
		int64_t expire;
	} rows[] = {
		{ "nothing asked", "10.0.0.1", "", "250 2.1.0", 0, DAYS(3) },
		{ "more than it may", "10.0.0.1", " MT-PRIORITY=5", "250 2.3.6 0 ", 0, DAYS(3) },
		{ "less than its own", "10.0.0.1", " MT-PRIORITY=-2", "250 2.1.0", -2, DAYS(4) },
		{ "as much as it may", "10.2.0.1", " MT-PRIORITY=9", "250 2.1.0", 9, DAYS(1) },
		{ "a bulk tenant's own", "10.3.0.1", "", "250 2.1.0", 0, DAYS(4) },
		{ "a bulk tenant that asks for more", "10.3.0.1", " MT-PRIORITY=1", "250 2.3.6 0 ", 0, DAYS(4) },
		{ "an expiry of the tenant's own", "10.4.0.1", " MT-PRIORITY=-1", "250 2.1.0", -1, HOURS(2) },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *script = xasprintf(HELLO "> MAIL FROM:<a@b.test>%s\n< %s\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 354\n> .\n"
		    "< 250 2.0.0 queued", rows[i].parameter, rows[i].reply);

		hello_from(rows[i].client, 0, NULL);
		play(rows[i].label, script);
		if (store.message.priority != rows[i].priority || store.message.deadline - store.message.arrived != rows[i].expire)
			fail_msg("%s: %d, %lld ms", rows[i].label, store.message.priority,
			    (long long)(store.message.deadline - store.message.arrived));
		free(script);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_the_sender_wants_to_know_is_stored),
		TEST(binary_content_is_stored_byte_for_byte),
		TEST(delivery_is_put_off_and_the_deadline_with_it),
		TEST(a_priority_is_kept_within_what_the_tenant_may_and_decides_the_deadline),
		TEST(requiretls_is_offered_and_stored_on_tls),
		TEST(tls_required_no_sets_the_wishes_of_domains_aside_but_for_requiretls),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
