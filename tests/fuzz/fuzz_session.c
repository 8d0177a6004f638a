/* tests/fuzz/fuzz_session.c - random bytes to the SMTP server's state machine, over a socket pair, with a queue that only answers.
 *
 * The first byte chooses the listener (and with it AUTH); then come pieces: a length byte, and so many bytes in one write. */
#include <sys/socket.h>
#include <unistd.h>

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/intake/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the queue ----------------------------------------------------------------------------------------------------------- */

msg_id queue_new_id(struct queue *queue)
{
	return 1 << 20;
}

enum err queue_has_room(struct queue *queue, uint64_t bytes, struct err_detail *why)
{
	return bytes == 4711 ? err_set(why, ERR_FULL, "full") : OK;
}

static void run_done(struct mail_item *item)
{
	struct queue_req *req = CONTAINER_OF(item, struct queue_req, item);

	req->done(req);
}

static void check_accept(const struct queue_accept *accept)
{
	uint64_t bytes = 0;

	must(accept->rcpt_count > 0);
	for (size_t i = 0; i < accept->blob_count; i++) {
		const char *data = accept->blobs[i].data;

		bytes += accept->blobs[i].len;
		must(memchr(data, 0, accept->blobs[i].len) == NULL);
		for (size_t at = 0; at < accept->blobs[i].len; at++)
			must(data[at] != '\n' || at == 0 || data[at - 1] == '\r');
	}
	must(bytes <= accept->message.size_bytes);
}

void queue_submit(struct queue *queue, struct queue_req *req)
{
	if (req->kind == QUEUE_ACCEPT)
		check_accept(CONTAINER_OF(req, struct queue_accept, req));
	if (req->reply_to == NULL) {
		free(req);
		return;
	}
	req->item.run = run_done;
	mailbox_post(req->reply_to, &req->item);
}

/* --- the session --------------------------------------------------------------------------------------------------------- */

static struct {
	struct loop *loop;
	struct mailbox *helpers;
	struct conf *conf;
	_Atomic uint64_t memory;
	struct intake_env env;
} world;

static void on_job(void *arg, struct intake_job *job)
{
	must(job->rcpts > 0 && job->domain[0] != '\0');
	free(job);
}

static void on_session_end(void *arg, const struct ip_port *client)
{
}

static void world_create(void)
{
	static const char text[] =
	    "hostname: relay.test\nstate: /nonexistent\ntls: {cert: /nonexistent, key: /nonexistent}\n"
	    "listen: [{at: \"127.0.0.1:25\", tls: none, auth: none}, {at: \"127.0.0.1:26\", tls: starttls, auth: optional}]\n"
	    "limits: {message: 100K, recipients: 3, errors: 1000, commands: 1000, command_line: 600, text_line: 1000, hops: 5}\n"
	    "tenants: [{name: net, from: [10.0.0.0/8], domains: [b.test], others: {envelope: rewrite, from: rewrite, address: w@b.test}}]\n"
	    "hygiene: {duplicates: first}\n";
	struct conf_faults faults;

	loop_setup();
	log_set_level(LOG_ERROR);
	world.conf = conf_load_text("relay.yaml", text, sizeof(text) - 1, &faults);
	must(world.conf != NULL);
	conf_faults_free(&faults);
	world.loop = loop_create("fuzz");
	world.helpers = mailbox_create();
	world.env = (struct intake_env){ .loop = world.loop, .helpers = world.helpers, .on_job = on_job,
		.on_session_end = on_session_end, .memory_used = &world.memory };
}

static void stop(void *arg)
{
	loop_stop(world.loop);
}

static void turns(int count, int fd)
{
	static char replies[65536];

	for (int i = 0; i < count; i++) {
		loop_later(world.loop, stop, NULL);
		loop_run(world.loop);
		mailbox_run(world.helpers, 0);
		while (fd >= 0 && recv(fd, replies, sizeof(replies), MSG_DONTWAIT) > 0)
			continue;
	}
}

static void send_pieces(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		size_t len = *data++;

		size--;
		if (len > size || len == 255)
			len = size;
		if (send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return;
		data += len;
		size -= len;
		turns(2, fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_port peer = { .port = 1, .addr = { .family = AF_INET, .bytes = { 10, 0, 0, 1 } } };
	struct intake *intake;
	int fds[2];

	if (size == 0)
		return 0;
	if (world.loop == NULL)
		world_create();
	intake = intake_create(&world.env);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	intake_start(intake, fds[0], &peer, world.conf, &world.conf->listen[data[0] & 1], NULL, NULL);
	turns(1, fds[1]);
	send_pieces(fds[1], data + 1, size - 1);
	close(fds[1]);
	turns(4, -1);
	must(intake_session_count(intake) == 0);
	must(world.memory == 0);
	intake_destroy(&intake);
	return 0;
}
