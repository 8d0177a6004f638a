/* tests/fuzz/fuzz_login.c - what clients say within AUTH, as the session decodes it: the first byte chooses the mechanism, each line of the rest is
 * one response; "%" in it stands for the nonce of SCRAM that came. */
#include <sys/socket.h>
#include <unistd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/intake/base64.h"
#include "relay/intake/dialog.h"
#include "relay/intake/sessions.h"
#include "relay/net/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct loop *loop;
	struct mailbox *helpers;
	struct conf *conf;
	_Atomic uint64_t memory;
	struct intake_env env;
	int fd;
	char reply[8192]; /* the last that came */
} world;

static void on_job(void *arg, struct intake_job *job)
{
	free(job);
}

static void on_session_end(void *arg, const struct ip_port *client)
{
}

/* The password is checked at the usual cost in the daemon; here the cheapest that is taken. */
static void world_create(void)
{
	static const char text[] =
	    "hostname: relay.test\nstate: /nonexistent\ntls: {cert: /nonexistent, key: /nonexistent}\n"
	    "listen: [{at: \"127.0.0.1:26\", tls: starttls, auth: required}]\nlimits: {errors: 1000, commands: 1000}\n"
	    "tenants: [{name: net, logins: [{user: user, hash: \"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\"}]}]\n";
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

static void turns(int count)
{
	for (int i = 0; i < count; i++) {
		ssize_t got;

		loop_later(world.loop, stop, NULL);
		loop_run(world.loop);
		mailbox_run(world.helpers, 0);
		got = world.fd >= 0 ? recv(world.fd, world.reply, sizeof(world.reply) - 1, MSG_DONTWAIT) : 0;
		if (got > 0)
			world.reply[got] = '\0';
	}
}

static void say(const char *text)
{
	(void)!send(world.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	turns(3);
}

/* "r=NONCE" of the challenge, or something else when there is none. */
static void nonce_of_reply(char out[400])
{
	char decoded[8192];
	size_t len = 0, end = strcspn(world.reply, "\r");

	out[0] = '\0';
	if (strncmp(world.reply, "334 ", 4) == 0 && base64_decode(world.reply + 4, end - 4, decoded, &len) == OK && len > 2) {
		decoded[len] = '\0';
		(void)snprintf(out, 400, "%.*s", (int)strcspn(decoded + 2, ","), decoded + 2);
	}
}

static void respond(const char *before, const uint8_t *line, size_t len)
{
	char text[3000], encoded[4100], nonce[400];
	size_t used = 0;

	nonce_of_reply(nonce);
	for (size_t i = 0; i < len && used + sizeof(nonce) < sizeof(text); i++) {
		if (line[i] == '%') {
			memcpy(text + used, nonce, strlen(nonce));
			used += strlen(nonce);
		} else {
			text[used++] = (char)line[i];
		}
	}
	scram_encode(text, used, encoded);
	say(before);
	say(encoded);
	say("\r\n");
}

static void play(const uint8_t *data, size_t size)
{
	static const char *const mechanisms[] = { "AUTH PLAIN ", "AUTH LOGIN ", "AUTH SCRAM-SHA-256 ", "AUTH EXTERNAL " };
	const char *before = mechanisms[data[0] % ARRAY_LEN(mechanisms)];

	say("EHLO c.test\r\n");
	for (data++, size--; size > 0;) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end != NULL ? (size_t)(end - data) : size;

		respond(before, data, len);
		before = "";
		len += end != NULL;
		data += len;
		size -= len;
	}
}

static void pretend_tls(struct intake *intake)
{
	must(intake->dialogs != NULL);
	(void)snprintf(intake->dialogs->tls_text, sizeof(intake->dialogs->tls_text), "TLSv1.3 NONE");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip_port peer = { .port = 1, .addr = { .family = AF_INET, .bytes = { 10, 0, 0, 1 } } };
	struct intake *intake;
	int fds[2];

	if (size < 2 || size > 4096)
		return 0;
	if (world.loop == NULL)
		world_create();
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	world.fd = fds[1];
	world.reply[0] = '\0';
	intake = intake_create(&world.env);
	intake_start(intake, fds[0], &peer, world.conf, &world.conf->listen[0], NULL, NULL);
	pretend_tls(intake);
	play(data, size);
	intake_drain(intake, stop, NULL);
	close(fds[1]);
	world.fd = -1;
	turns(4);
	must(intake_session_count(intake) == 0);
	intake_destroy(&intake);
	return 0;
}
