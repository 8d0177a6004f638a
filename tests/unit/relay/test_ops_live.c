/* tests/unit/relay/test_ops_live.c - the control socket with scheduler and dispatcher behind it: verbs, bad clients, back-pressure.
 *
 * Nothing is delivered: the tenant is paused. Clients are threads; the loop runs in the test's own. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "tests/unit/relay/ops_store.h"

#define CONF \
	"hostname: relay.example.net\nuser: root\nlisten: [{at: \"127.0.0.1:2525\"}]\ntenants: [{name: shop, from: [127.0.0.1], pool: main}]\n" \
	"sources: [{name: a, ip: 127.0.0.11, ehlo: a.example}]\npools: [{name: main, sources: [a]}]\n" \
	"providers: [{name: bigmail, domains: [b.example]}]\ndns: {forward: [\"127.0.0.1@9\"], anchors: []}\n"

struct live {
	struct store *store;
	struct loop *loop;
	struct conf *conf;
	struct sched *sched;
	struct dispatch *dispatch;
	struct ops *ops;
	char path[128];
	unsigned reloads;
	bool reload_fails;
};

static struct conf *conf_of(void *arg)
{
	return ((struct live *)arg)->conf;
}

static enum err reload_of(void *arg, char **text_out)
{
	struct live *live = arg;

	live->reloads++;
	*text_out = xstrdup(live->reload_fails ? "relay.yaml:3:1: wrong" : "reloaded");
	return live->reload_fails ? ERR_INVALID : OK;
}

static struct ops_env env_of(struct live *live)
{
	return (struct ops_env){
		.loop = live->loop, .queue = live->store->queue, .reader = live->store->reader, .sched = live->sched,
		.dispatch = live->dispatch, .conf = conf_of, .reload = reload_of, .started = clock_wall(), .arg = live,
	};
}

static int setup(void **state)
{
	struct live *live = xcalloc(1, sizeof(*live));
	struct conf_faults faults;
	struct ops_env env;
	struct err_detail why = { .text = "" };

	loop_setup();
	log_set_level(LOG_ERROR);
	store_setup((void **)&live->store);
	live->loop = loop_create("test");
	live->conf = conf_load_text("/t/relay.yaml", CONF, strlen(CONF), &faults);
	if (!live->conf)
		fail_msg("%s", faults.text);
	conf_faults_free(&faults);
	live->sched = sched_create(live->conf, 1);
	assert_int_equal(sched_pause(live->sched, "tenant", "shop", true, clock_wall()), OK);
	snprintf(live->path, sizeof(live->path), "%s/control", live->store->dir);
	env = env_of(live);
	struct dispatch_env dispatch = { .loop = live->loop, .queue = env.queue, .reader = env.reader, .sched = live->sched };

	live->dispatch = dispatch_create(&dispatch, live->conf, 1, &why);
	if (!live->dispatch)
		fail_msg("%s", why.text);
	env.dispatch = live->dispatch;
	live->ops = ops_create(&env, live->path, &why);
	if (!live->ops)
		fail_msg("%s", why.text);
	*state = live;
	return 0;
}

static void drained(void *arg)
{
	struct live *live = arg;

	loop_stop(live->loop);
}

static int teardown(void **state)
{
	struct live *live = *state;
	struct stat st;

	dispatch_drain(live->dispatch, 1000, drained, live); /* the store has what was asked of it */
	loop_run(live->loop);
	ops_destroy(&live->ops);
	assert_int_not_equal(lstat(live->path, &st), 0);
	dispatch_destroy(&live->dispatch);
	sched_destroy(&live->sched);
	conf_unref(&live->conf);
	loop_destroy(&live->loop);
	store_teardown((void **)&live->store);
	free(live);
	return 0;
}

/* --- clients ---------------------------------------------------------------------------------------------------------------- */

static int dial(const struct live *live)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, live->path, strlen(live->path) + 1);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Send, read until `ends` end lines or the end of the connection. */
struct client {
	struct live *live;
	int fd;
	const char *request;
	size_t len, ends;
	char *text; /* all that came */
	size_t text_len, lines;
	bool closed;
};

static void *client_main(void *arg)
{
	struct client *c = arg;
	FILE *in = fdopen(c->fd, "r"), *text = open_memstream(&c->text, &c->text_len);
	char *line = NULL;
	size_t size = 0, ends = 0;
	ssize_t n = 0;

	if (c->len > 0)
		(void)!send(c->fd, c->request, c->len, MSG_NOSIGNAL);
	while (ends < c->ends && (n = getline(&line, &size, in)) > 0) {
		fwrite(line, 1, (size_t)n, text);
		c->lines++;
		ends += strstr(line, "\"end\":true") != NULL;
	}
	c->closed = n < 0;
	free(line);
	fclose(text);
	fclose(in);
	loop_stop(c->live->loop);
	return NULL;
}

/* Run one client against the loop. */
static void run_client(struct client *c)
{
	pthread_t thread;

	assert_true(c->fd >= 0);
	assert_int_equal(pthread_create(&thread, NULL, client_main, c), 0);
	loop_run(c->live->loop);
	pthread_join(thread, NULL);
}

/* The text of the answer to one request; malloc'ed. */
static char *talk(struct live *live, const char *request)
{
	struct client c = { .live = live, .fd = dial(live), .request = request, .len = strlen(request), .ends = 1 };

	run_client(&c);
	return c.text;
}

static void expect_in(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void talk_expects(struct live *live, const char *request, const char *part)
{
	char *text = talk(live, request);

	expect_in(text, part);
	free(text);
}

/* --- mail ------------------------------------------------------------------------------------------------------------------- */

#define BATCH 250 /* messages that share a few commits */

/* Store `count` messages to one recipient each, not yet due to expire; the id of the last. */
static msg_id fill(struct live *live, const char *rcpt, size_t count)
{
	const char *const rcpts[] = { rcpt, NULL };
	struct store_mail *mails = xcalloc(BATCH, sizeof(*mails));
	msg_id id = 0;

	for (size_t done = 0, batch; done < count; done += batch) {
		batch = count - done < BATCH ? count - done : BATCH;
		store_answers = 0;
		for (size_t i = 0; i < batch; i++) {
			id = queue_new_id(live->store->queue);
			store_mail_init(&mails[i], id, 20, rcpts);
			mails[i].accept.message.arrived = clock_wall();
			mails[i].accept.message.deadline = clock_wall() + DAYS(5);
			store_submit(live->store, live->store->box, QUEUE_ACCEPT, &mails[i].accept.req);
		}
		store_await(live->store->box, batch);
		for (size_t i = 0; i < batch; i++) {
			assert_int_equal(mails[i].accept.req.result, OK);
			free(mails[i].body);
		}
	}
	free(mails);
	return id;
}

static msg_id fill_one(struct live *live, const char *rcpt)
{
	return fill(live, rcpt, 1);
}

static void rebuild(struct live *live)
{
	dispatch_rebuild(live->dispatch);
	while (!dispatch_complete(live->dispatch))
		talk_expects(live, "{\"verb\":\"reload\"}\n", "\"exit\":0");
}

/* --- tests ------------------------------------------------------------------------------------------------------------------ */

static void requests_that_are_none_get_an_error_line(void **state)
{
	static const char *const REQUESTS[] = { "garbage\n", "{}\n", "[]\n", "\n", "{\"verb\":5}\n", "{\"verb\":\"list\",\"args\":[]}\n",
		"{\"verb\":\"list\",\"verb\":\"list\"}\n", "\xff\xfe\n", "{\"verb\":\"nonsense\"}\r\n" };

	for (size_t i = 0; i < ARRAY_LEN(REQUESTS); i++)
		talk_expects(*state, REQUESTS[i], "\"exit\":2");
}

static void a_line_too_long_ends_the_connection(void **state)
{
	struct client c = { .live = *state, .fd = dial(*state), .len = 70000, .ends = 2 };
	char *line = xcalloc(1, c.len);

	memset(line, 'x', c.len);
	c.request = line;
	run_client(&c);
	expect_in(c.text, "too long");
	assert_true(c.closed);
	assert_int_equal(c.lines, 1);
	free(line);
	free(c.text);
}

static void requests_are_answered_one_after_the_other(void **state)
{
	struct live *live = *state;
	static const char REQUESTS[] = "{\"verb\":\"reload\"}\n{\"verb\":\"list\"}\nx\n{\"verb\":\"reload\"}\n";
	struct client c = { .live = live, .fd = dial(live), .request = REQUESTS, .len = sizeof(REQUESTS) - 1, .ends = 4 };

	run_client(&c);
	assert_int_equal(c.lines, 4);
	assert_int_equal(live->reloads, 2);
	free(c.text);
	live->reload_fails = true;
	talk_expects(live, "{\"verb\":\"reload\"}\n", "\"exit\":1,\"message\":\"relay.yaml:3:1: wrong\"");
}

static void the_socket_is_for_owner_and_group(void **state)
{
	struct live *live = *state;
	struct stat st;

	assert_int_equal(stat(live->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void a_second_daemon_does_not_take_the_socket(void **state)
{
	struct live *live = *state;
	struct ops_env env = env_of(live);
	struct err_detail why;

	assert_null(ops_create(&env, live->path, &why));
	assert_int_equal(why.code, ERR_BUSY);
	talk_expects(live, "{\"verb\":\"list\"}\n", "\"exit\":0");
}

static void a_socket_left_by_a_crash_is_replaced_a_file_is_not(void **state)
{
	struct live *live = *state;
	struct ops_env env = env_of(live);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char *path = xasprintf("%s/other", live->store->dir);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct err_detail why;
	struct ops *ops;

	memcpy(sa.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	ops = ops_create(&env, path, &why);
	assert_non_null(ops);
	ops_destroy(&ops);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_null(ops_create(&env, path, &why));
	assert_int_equal(why.code, ERR_EXISTS);
	free(path);
}

static void too_many_connections_are_told_so(void **state)
{
	struct live *live = *state;
	int fds[32];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial(live);
		/* The kernel's queue of the socket is short: let the loop take them. */
		if (i % 8 == 7 && i + 1 < ARRAY_LEN(fds))
			talk_expects(live, "{\"verb\":\"reload\"}\n", "\"exit\":0");
	}
	talk_expects(live, "", "too many connections");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	talk_expects(live, "{\"verb\":\"reload\"}\n", "\"exit\":0");
}

static void a_reader_that_stalls_holds_nobody_up(void **state)
{
	struct live *live = *state;
	struct client slow = { .live = live, .ends = 1 };
	static const char REQUEST[] = "{\"verb\":\"list\"}\n";

	(void)fill(live, "ann@a.example", 3000);
	slow.fd = dial(live);
	assert_int_equal(send(slow.fd, REQUEST, sizeof(REQUEST) - 1, 0), sizeof(REQUEST) - 1);
	for (int i = 0; i < 20; i++)
		talk_expects(live, "{\"verb\":\"list\",\"args\":{\"limit\":1}}\n", "\"limited\":true");
	run_client(&slow);
	assert_int_equal(slow.lines, 3001);
	expect_in(slow.text, "\"recipients\":3000");
	free(slow.text);
}

static void clients_that_vanish_leave_nothing_behind(void **state)
{
	static const char *const REQUESTS[] = { "{\"verb\":\"list\"}\n", "{\"verb\":\"check\"}\n", "{\"verb\":\"stats\"}\n", "{\"verb\":\"hold\",\"args\":{\"ids\":[\"*\"]}}\n",
		"{\"verb\":\"release\",\"args\":{\"ids\":[\"*\"]}}\n", "{\"verb\"" };
	struct live *live = *state;

	(void)fill(live, "ann@a.example", 500);
	rebuild(live);
	for (size_t i = 0; i < 10 * ARRAY_LEN(REQUESTS); i++) {
		const char *request = REQUESTS[i % ARRAY_LEN(REQUESTS)];
		int fd = dial(live);

		assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
		if (i % 3 == 0)
			talk_expects(live, "{\"verb\":\"reload\"}\n", "\"exit\":0");
		close(fd);
		talk_expects(live, "{\"verb\":\"reload\"}\n", "\"exit\":0");
	}
	talk_expects(live, "{\"verb\":\"stats\"}\n", "\"total\":true");
}

static void hold_release_drop_and_bounce_change_the_store(void **state)
{
	static const struct {
		const char *request, *told, *left;
	} rows[] = {
		{ "{\"verb\":\"hold\",\"args\":{\"destination\":\"bigmail\",\"reason\":\"odd\"}}\n", "2 recipients changed", "\"held\":2" },
		{ "{\"verb\":\"hold\",\"args\":{\"destination\":\"bigmail\"}}\n", "0 recipients changed, 2 are held already", "\"held\":2" },
		{ "{\"verb\":\"retry\",\"args\":{\"ids\":[\"*\"]}}\n", "1 recipient changed, 2 are held (release comes first)", "\"held\":2" },
		{ "{\"verb\":\"release\",\"args\":{\"rcpt\":\"ann@*\"}}\n", "1 recipient changed", "\"held\":1" },
		{ "{\"verb\":\"drop\",\"args\":{\"state\":\"held\"}}\n", "1 recipient changed", "\"dropped\":1" },
		{ "{\"verb\":\"bounce\",\"args\":{\"ids\":[\"*\"],\"reason\":\"no such\"}}\n", "2 recipients changed", "\"bounced\":2" },
		{ "{\"verb\":\"drop\",\"args\":{\"tenant\":\"nobody\"}}\n", "0 recipients changed", "\"bounced\":2" },
	};
	struct live *live = *state;
	char *all;

	fill_one(live, "ann@b.example");
	fill_one(live, "bob@b.example");
	fill_one(live, "cy@c.example");
	rebuild(live);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		talk_expects(live, rows[i].request, rows[i].told);
		all = talk(live, "{\"verb\":\"stats\"}\n");
		expect_in(strstr(all, "\"total\":true"), rows[i].left);
		free(all);
		talk_expects(live, "{\"verb\":\"check\"}\n", ": 0 findings");
	}
}

static void an_id_that_is_gone_is_refused_but_the_others_are_changed(void **state)
{
	struct live *live = *state;
	char id[MSG_ID_TEXT], gone[MSG_ID_TEXT], *request;

	msg_id_format(fill_one(live, "ann@b.example"), id);
	msg_id_format(queue_new_id(live->store->queue), gone);
	rebuild(live);
	request = xasprintf("{\"verb\":\"hold\",\"args\":{\"ids\":[\"%s\",\"%s\"]}}\n", gone, id);
	talk_expects(live, request, "\"exit\":1,\"message\":\"1 recipient changed\"");
	free(request);
	talk_expects(live, "{\"verb\":\"list\",\"args\":{\"state\":\"held\"}}\n", id);
}

static void why_names_every_reason(void **state)
{
	struct live *live = *state;
	char id[MSG_ID_TEXT], *request;

	msg_id_format(fill_one(live, "ann@b.example"), id);
	rebuild(live);
	request = xasprintf("{\"verb\":\"why\",\"args\":{\"name\":\"%s.0\"}}\n", id);
	talk_expects(live, request, "paused by the operator");
	free(request);
	talk_expects(live, "{\"verb\":\"why\",\"args\":{\"name\":\"shop\"}}\n", "\"name\":\"shop\"");
	talk_expects(live, "{\"verb\":\"why\",\"args\":{\"name\":\"a\"}}\n", "\"name\":\"a\"");
	talk_expects(live, "{\"verb\":\"why\",\"args\":{\"name\":\"nobody\"}}\n", "\"exit\":1");
}

static void pauses_name_one_thing_that_exists(void **state)
{
	static const struct {
		const char *request, *told;
	} rows[] = {
		{ "{\"verb\":\"pause\",\"args\":{\"source\":\"a\"}}\n", "\"exit\":0" },
		{ "{\"verb\":\"resume\",\"args\":{\"source\":\"a\"}}\n", "\"exit\":0" },
		{ "{\"verb\":\"pause\",\"args\":{\"source\":\"zz\"}}\n", "\"exit\":1" },
		{ "{\"verb\":\"pause\",\"args\":{}}\n", "\"exit\":2" },
		{ "{\"verb\":\"pause\",\"args\":{\"source\":\"a\",\"tenant\":\"shop\"}}\n", "\"exit\":2" },
		{ "{\"verb\":\"source\"}\n", "\"source\":\"a\",\"ip\":\"127.0.0.11\"" },
		{ "{\"verb\":\"source\"}\n", "\"hour\":{\"delivered\":0,\"deferred\":0,\"blocked\":0,\"refused\":0},\"day\":{\"delivered\":0" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		talk_expects(*state, rows[i].request, rows[i].told);
}

static void check_notices_an_entry_that_is_missing(void **state)
{
	struct live *live = *state;
	msg_id id = fill_one(live, "ann@b.example");

	rebuild(live);
	talk_expects(live, "{\"verb\":\"check\"}\n", "\"exit\":0");
	assert_int_equal(sched_drop(live->sched, id, 0), OK);
	talk_expects(live, "{\"verb\":\"check\"}\n", "the scheduler counts 0 waiting recipients, the store has 1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_that_are_none_get_an_error_line), TEST(a_line_too_long_ends_the_connection),
		TEST(requests_are_answered_one_after_the_other), TEST(the_socket_is_for_owner_and_group),
		TEST(a_second_daemon_does_not_take_the_socket), TEST(a_socket_left_by_a_crash_is_replaced_a_file_is_not),
		TEST(too_many_connections_are_told_so), TEST(a_reader_that_stalls_holds_nobody_up),
		TEST(clients_that_vanish_leave_nothing_behind), TEST(hold_release_drop_and_bounce_change_the_store),
		TEST(an_id_that_is_gone_is_refused_but_the_others_are_changed), TEST(why_names_every_reason),
		TEST(pauses_name_one_thing_that_exists), TEST(check_notices_an_entry_that_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
