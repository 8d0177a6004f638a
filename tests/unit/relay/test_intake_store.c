/* tests/unit/relay/test_intake_store.c - sessions with the real queue: what was answered with 250 can be read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "relay/intake/intake.h"

static const char CONF[] =
    "hostname: relay.test\nstate: /nonexistent\nlisten: [{at: \"127.0.0.1:2525\", tls: none, auth: none}]\n"
    "tenants: [{name: net, from: [10.0.0.0/8]}]\n";

static struct {
	char folder[64];
	struct queue *queue;
	struct conf *conf;
	struct intake_env env;
	struct intake *intake;
	_Atomic uint64_t memory;
	pthread_t thread;
	unsigned jobs;
	int fd;
} world;

static void on_job(void *arg, struct intake_job *job)
{
	world.jobs++;
	free(job);
}

static void on_session_end(void *arg, const struct ip_port *client)
{
}

static void *run_loop(void *arg)
{
	loop_run(world.env.loop);
	return NULL;
}

/* What main posts to a worker. */
struct order {
	struct mail_item item;
	int fd;
};

static void run_start(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);
	struct ip_port peer = { .port = 40000, .addr = { .family = AF_INET, .bytes = { 10, 0, 0, 1 } } };

	intake_start(world.intake, order->fd, &peer, world.conf, &world.conf->listen[0], NULL, NULL);
	free(order);
}

static void on_drained(void *arg)
{
	loop_stop(world.env.loop);
}

static void run_drain(struct mail_item *item)
{
	intake_drain(world.intake, on_drained, NULL);
	free(item);
}

static void post(void (*run)(struct mail_item *item), int fd)
{
	struct order *order = xcalloc(1, sizeof(*order));

	order->item.run = run;
	order->fd = fd;
	loop_post(world.env.loop, &order->item);
}

static int setup(void **state)
{
	struct queue_options options = { .quota_bytes = 0 };
	struct err_detail why = { .text = "" };
	struct conf_faults faults;
	int fds[2];

	memset(&world, 0, sizeof(world));
	log_set_level(LOG_ERROR);
	snprintf(world.folder, sizeof(world.folder), "/tmp/warmrelay-intake.XXXXXX");
	if (mkdtemp(world.folder) == NULL)
		return -1;
	world.queue = queue_open(world.folder, &options, &why);
	if (world.queue == NULL) {
		print_error("%s\n", why.text);
		return -1;
	}
	world.conf = conf_load_text("relay.yaml", CONF, sizeof(CONF) - 1, &faults);
	conf_faults_free(&faults);
	world.env = (struct intake_env){ .loop = loop_create("worker"), .queue = world.queue, .on_job = on_job,
		.on_session_end = on_session_end, .memory_used = &world.memory };
	world.intake = intake_create(&world.env);
	if (pthread_create(&world.thread, NULL, run_loop, NULL) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return -1;
	setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 10 }, sizeof(struct timeval));
	world.fd = fds[1];
	post(run_start, fds[0]);
	return 0;
}

static int remove_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	post(run_drain, -1);
	pthread_join(world.thread, NULL);
	close(world.fd);
	intake_destroy(&world.intake);
	loop_destroy(&world.env.loop);
	queue_close(&world.queue);
	conf_unref(&world.conf);
	return nftw(world.folder, remove_file, 8, FTW_DEPTH | FTW_PHYS) == 0 && world.memory == 0 ? 0 : -1;
}

static void say(const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(world.fd, text, len);

		assert_true(n > 0);
		text += n;
		len -= (size_t)n;
	}
}

/* Read reply lines until one has been read that begins with `want`; returns what is behind. */
static const char *until(const char *want)
{
	static char line[500];
	size_t len = 0;
	char c;

	while (read(world.fd, &c, 1) == 1) {
		if (c != '\n') {
			line[len++] = c;
			assert_true(len < sizeof(line));
			continue;
		}
		line[len > 0 ? len - 1 : 0] = '\0';
		if (strncmp(line, want, strlen(want)) == 0)
			return line + strlen(want);
		assert_true(line[0] < '4');
		len = 0;
	}
	fail_msg("no \"%s\"", want);
	return NULL;
}

static char *read_back(msg_id id, size_t *len_out)
{
	struct queue_reader *reader = queue_reader_open(world.queue);
	struct err_detail why = { .text = "" };
	struct queue_job *job;
	char *all;
	size_t at = 0, len;

	if (queue_job_load(reader, id, UINT32_MAX, &job, &why) != OK)
		fail_msg("%s", why.text);
	assert_int_equal(job->rcpt_count, 2);
	assert_string_equal(job->rcpts[0].address, "z@a.test");
	assert_string_equal(job->rcpts[1].address, "c@d.test");
	assert_string_equal(job->message.sender, "a@b.test");
	all = xcalloc(job->message.chunks + 1, QUEUE_CHUNK);
	for (uint32_t n = 0; n < job->message.chunks; n++) {
		if (queue_body_read(reader, id, n, all + at, &len, &why) != OK)
			fail_msg("%s", why.text);
		at += len;
	}
	assert_int_equal(at, job->message.size_bytes);
	free(job);
	queue_reader_close(&reader);
	*len_out = at;
	return all;
}

static void send_and_compare(size_t lines)
{
	char *text = xcalloc(lines * 64 + 4, 1), *stored;
	size_t len = lines * 64;
	const char *id;
	msg_id number;

	for (size_t i = 0; i < lines; i++)
		snprintf(text + i * 64, 65, "%062zu\r\n", i);
	if (lines > 0)
		memcpy(text, "\r\n", 2); /* no header */
	say("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nRCPT TO:<z@a.test>\r\nDATA\r\n");
	until("354 ");
	say(text);
	say(".\r\n");
	id = until("250 2.0.0 queued as ");
	assert_true(msg_id_parse(id, strlen(id), &number));
	stored = read_back(number, &len);
	assert_true(len > lines * 64);
	assert_memory_equal(stored + len - lines * 64, text, lines * 64);
	assert_int_equal(strncmp(stored, "Received: ", 10), 0);
	free(stored);
	free(text);
}

static void what_was_acknowledged_is_in_the_store(void **state)
{
	static const size_t lines[] = { 0, 1, 64, 4095, 5200, 40000 };

	say("EHLO c.test\r\n");
	until("250 HELP");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		send_and_compare(lines[i]);
}

static void note_finding(void *arg, const char *finding)
{
	print_error("%s\n", finding);
}

static void an_unfinished_body_leaves_no_chunks(void **state)
{
	struct queue_check_totals totals = { .chunks = 1 };
	struct queue_reader *reader;
	struct err_detail why;
	enum err checked;
	char *text = xcalloc(500001, 1);

	for (size_t i = 0; i < 500000; i += 100)
		snprintf(text + i, 101, "%098zu\r\n", i);
	memcpy(text, "\r\n", 2); /* no header */
	say("HELO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n");
	until("354 ");
	say(text);
	say("bare\nLF\r\n.\r\n");
	until("550 5.6.0");
	send_and_compare(1); /* once this is answered, so are all chunks of the body, and the discard has been handed in */
	send_and_compare(1); /* it rides with this one or went before */
	reader = queue_reader_open(world.queue);
	checked = queue_check(reader, note_finding, NULL, &totals, &why);
	queue_reader_close(&reader);
	free(text);
	assert_int_equal(checked, OK);
	assert_int_equal(totals.findings, 0);
	assert_int_equal(totals.messages, 2);
	assert_int_equal(totals.chunks, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_acknowledged_is_in_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unfinished_body_leaves_no_chunks, setup, teardown),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
