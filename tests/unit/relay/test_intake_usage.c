/* tests/unit/relay/test_intake_usage.c - connections and quotas of a tenant in sessions: 421, 450, and mail that is put off. */
#include "tests/unit/relay/intake_world.h"

#include "relay/intake/usage.h"

static const char CONF[] =
    "hostname: relay.test\nstate: /nonexistent\nlisten: [{at: \"127.0.0.1:2525\"}]\n"
    "tenants:\n"
    "  - {name: hard, from: [10.1.0.0/16], quota: {hour: 3}}\n"
    "  - {name: soft, from: [10.2.0.0/16], quota: {hour: 3, over: delay, window: calendar}}\n"
    "  - {name: few, from: [10.3.0.0/16], connections: 1}\n"
    "  - {name: free, from: [10.4.0.0/16]}\n";

#define MAIL "< 220\n> HELO c.test\n< 250 \n> MAIL FROM:<a@b.test>\n< 250 2.1.0\n"

static struct usages *usages;

static int setup(void **state)
{
	world_create(CONF);
	usages = usages_create();
	usages_attach(usages, world.conf);
	return 0;
}

static int teardown(void **state)
{
	world_destroy();
	usages_destroy(&usages);
	return 0;
}

static uint64_t used(const char *tenant)
{
	uint32_t connections;
	uint64_t hour, day;

	usage_read(conf_tenant_find(world.conf, tenant), clock_wall(), &connections, &hour, &day);
	return hour;
}

static uint32_t connected(const char *tenant)
{
	uint32_t connections;
	uint64_t hour, day;

	usage_read(conf_tenant_find(world.conf, tenant), clock_wall(), &connections, &hour, &day);
	return connections;
}

static void beyond_the_quota_450_tells_when_it_opens(void **state)
{
	const char *line;
	wall_ms now = clock_wall();
	char soonest[CLOCK_TEXT], latest[CLOCK_TEXT];

	hello_from("10.1.0.1", 0, NULL);
	play("three", MAIL "> RCPT TO:<a@d.test>\n< 250\n> RCPT TO:<b@d.test>\n< 250\n> RCPT TO:<A@d.test>\n< 250\n> RCPT TO:<a@d.test>\n< 250");
	SAY("RCPT TO:<c@d.test>\r\n");
	line = next_reply();
	assert_non_null(line);
	assert_memory_equal(line, "450 4.7.1 the quota of this tenant is used up; it opens again at ", 65);
	assert_true(strcmp(line + 65, clock_rfc3339(now + HOURS(1), soonest)) >= 0);
	assert_true(strcmp(line + 65, clock_rfc3339(clock_wall() + HOURS(1) + MINUTES(5), latest)) <= 0);
	/* What was taken goes through. */
	play("data", "> DATA\n< 354\n> .\n< 250 2.0.0");
	assert_int_equal(store.message.rcpt_count, 3);
	assert_non_null(store.memo);
	assert_string_equal(store.memo->name, "quota/hard");
}

static void what_is_not_accepted_is_given_back(void **state)
{
	static const char *const ends[] = { "> RSET\n< 250", "> DATA\n< 354\n> bare\rCR\n> .\n< 550", "> QUIT\n< 221\nclosed" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		hello_from("10.1.0.1", 0, NULL);
		play("taken", MAIL "> RCPT TO:<a@d.test>\n< 250\n> RCPT TO:<b@d.test>\n< 250");
		assert_int_equal(used("hard"), 2);
		play("ended", ends[i]);
		turns();
		assert_int_equal(used("hard"), 0);
	}
	store.accept_result = ERR_FULL;
	hello_from("10.1.0.1", 0, NULL);
	play("no room", MAIL "> RCPT TO:<a@d.test>\n< 250\n> DATA\n< 354\n> .\n< 452");
	assert_int_equal(used("hard"), 0);
	store.accept_result = OK;
	play("room", "> MAIL FROM:<a@b.test>\n< 250\n> RCPT TO:<a@d.test>\n< 250\n> DATA\n< 354\n> .\n< 250");
	assert_int_equal(used("hard"), 1);
}

/* Recipients of a job go together, when the last of them may. */
static void what_is_put_off_has_its_time(void **state)
{
	wall_ms now = clock_wall(), hour = (now / HOURS(1) + 1) * HOURS(1);

	if (hour - now < SECONDS(5))
		hour += HOURS(1); /* the hour may begin in the middle of this test: then all goes at once, or an hour later */
	hello_from("10.2.0.1", 0, NULL);
	play("accepted", MAIL "> RCPT TO:<a@d.test>\n< 250\n> RCPT TO:<b@e.test>\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> RCPT TO:<d@d.test>\n< 250\n"
	    "> DATA\n< 354\n> .\n< 250");
	assert_string_equal(world.jobs, "d.test 0+3 e.test 3+1");
	assert_string_equal(store.message.rcpts, "0/0 a@d.test 1/0 c@d.test 2/0 d@d.test 3/3 b@e.test");
	for (int i = 0; i < 3; i++)
		assert_true(store.next[i] == hour || hour - now > HOURS(1));
	assert_true(store.next[3] < hour);
	assert_true(store.next[3] >= now);
}

static void connections_of_a_tenant_are_limited(void **state)
{
	struct ip_port other = { .port = 40001 };
	struct conn *second;
	int fds[2];

	assert_true(ip_parse("10.3.0.2", &other.addr));
	hello_from("10.3.0.1", 0, NULL);
	play("first", "< 220");
	assert_int_equal(connected("few"), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	intake_start(world.intake, fds[0], &other, world.conf, &world.conf->listen[0], NULL, NULL);
	turns();
	second = world.client;
	world.client = conn_accept(world.loop, fds[1], &client_ops, NULL);
	turns();
	play("second", "< 421 4.7.0 relay.test too many connections of this tenant");
	assert_int_equal(connected("few"), 1);
	conn_close(&second, false);
	turns();
	assert_int_equal(connected("few"), 0);
	hello_from("10.3.0.1", 0, NULL);
	play("again", "< 220");
	hello_from("10.4.0.1", 0, NULL);
	assert_int_equal(connected("free"), 1);
	assert_int_equal(connected("few"), 0);
}

static void a_session_that_changes_hands_is_counted_once(void **state)
{
	hello_from("10.4.0.1", 0, NULL);
	play("free", "< 220");
	world.newer = load("hostname: relay.test\nstate: /nonexistent\nlisten: [{at: \"127.0.0.1:2525\"}]\n"
	    "tenants: [{name: few, from: [10.0.0.0/8], connections: 1}]\n");
	usages_attach(usages, world.newer);
	play("few", "> HELO c.test\n< 250");
	assert_int_equal(connected("few"), 1);
	assert_int_equal(connected("free"), 0);
	conn_close(&world.client, false);
	turns();
	assert_int_equal(connected("few"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(beyond_the_quota_450_tells_when_it_opens, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_accepted_is_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_put_off_has_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(connections_of_a_tenant_are_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_that_changes_hands_is_counted_once, setup, teardown),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
