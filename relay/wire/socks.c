/* relay/wire/socks.c - the client's half of SOCKS 5 (RFC 1928) with user name and password (RFC 1929): bytes in, bytes out. */
#include "relay/wire/socks.h"

#include <string.h>
#include <sys/socket.h>

#include "base/err.h"

#define VERSION       5
#define LOGIN_VERSION 1
#define METHOD_NONE   0
#define METHOD_LOGIN  2
#define CMD_CONNECT   1
#define TYPE_V4       1
#define TYPE_NAME     3
#define TYPE_V6       4

/* RFC 1928 section 6. Which of them are the remote's fault: what a connect of our own could have come to as well. */
static const struct {
	const char *why;
	bool remote;
} replies[] = {
	{ "succeeded", false },
	{ "general failure", false },
	{ "connection not allowed by its rules", false },
	{ "network unreachable", true },
	{ "host unreachable", true },
	{ "connection refused", true },
	{ "connection timed out", true }, /* "TTL expired" */
	{ "CONNECT is not supported", false },
	{ "the type of address is not supported", false },
};

static void say(struct socks *s, const void *data, size_t len)
{
	must(s->say_len + len <= sizeof(s->say));
	memcpy(s->say + s->say_len, data, len);
	s->say_len += len;
}

static void say_byte(struct socks *s, size_t byte)
{
	must(byte <= UINT8_MAX);
	say(s, &(uint8_t){ (uint8_t)byte }, 1);
}

/* A length and so many bytes. */
static void say_word(struct socks *s, const char *word)
{
	say_byte(s, strlen(word));
	say(s, word, strlen(word));
}

void socks_begin(struct socks *s, const struct ip_port *to, const char *user, const char *password)
{
	*s = (struct socks){ .state = SOCKS_METHOD, .to = *to, .user = user, .password = password };
	say_byte(s, VERSION);
	if (user) {
		say_byte(s, 2);
		say_byte(s, METHOD_NONE);
		say_byte(s, METHOD_LOGIN);
	} else {
		say_byte(s, 1);
		say_byte(s, METHOD_NONE);
	}
}

static enum socks_result fail(struct socks *s, enum socks_result result, const char *why)
{
	s->state = SOCKS_OVER;
	s->user = s->password = NULL;
	s->why = why;
	return result;
}

static void say_request(struct socks *s)
{
	bool v6 = s->to.addr.family == AF_INET6;

	s->state = SOCKS_REQUEST;
	s->user = s->password = NULL;
	say_byte(s, VERSION);
	say_byte(s, CMD_CONNECT);
	say_byte(s, 0);
	say_byte(s, v6 ? TYPE_V6 : TYPE_V4);
	say(s, s->to.addr.bytes, v6 ? 16 : 4);
	say_byte(s, s->to.port >> 8);
	say_byte(s, s->to.port & 0xff);
}

static enum socks_result on_method(struct socks *s, const uint8_t *data)
{
	if (data[0] != VERSION)
		return fail(s, SOCKS_PROXY_FAILS, "it does not speak SOCKS 5");
	if (data[1] == METHOD_LOGIN && s->user) {
		s->state = SOCKS_LOGIN;
		say_byte(s, LOGIN_VERSION);
		say_word(s, s->user);
		say_word(s, s->password);
		return SOCKS_MORE;
	}
	if (data[1] != METHOD_NONE)
		return fail(s, SOCKS_PROXY_FAILS, s->user ? "it takes no user name and password" : "it wants a user name and password");
	say_request(s);
	return SOCKS_MORE;
}

static enum socks_result on_login(struct socks *s, const uint8_t *data)
{
	/* RFC 1929 section 2: any status but 0 is a refusal. Not all servers care for the version. */
	if (data[1] != 0)
		return fail(s, SOCKS_PROXY_FAILS, "it refuses the user name and password");
	say_request(s);
	return SOCKS_MORE;
}

/* Bytes of a whole reply, as far as `data` tells; 0: none that we know begins so. */
static size_t reply_length(const uint8_t *data, size_t len)
{
	if (len < 5)
		return 5;
	switch (data[3]) {
	case TYPE_V4:
		return 4 + 4 + 2;
	case TYPE_V6:
		return 4 + 16 + 2;
	case TYPE_NAME:
		return 4 + 1 + (size_t)data[4] + 2;
	default:
		return 0;
	}
}

static enum socks_result on_reply(struct socks *s, const uint8_t *data)
{
	if (data[1] == 0) {
		s->state = SOCKS_OVER;
		return SOCKS_OPEN;
	}
	if (data[1] >= ARRAY_LEN(replies))
		return fail(s, SOCKS_PROXY_FAILS, "it answers with an unknown code");
	return fail(s, replies[data[1]].remote ? SOCKS_REMOTE_FAILS : SOCKS_PROXY_FAILS, replies[data[1]].why);
}

/* One answer at a time: what comes before its question was asked is left alone, and will not fit. */
enum socks_result socks_take(struct socks *s, const uint8_t *data, size_t len, size_t *used_out)
{
	size_t want = 2;

	must(s->state != SOCKS_OVER);
	*used_out = 0;
	s->say_len = 0;
	if (s->state == SOCKS_REQUEST) {
		if (len > 0 && data[0] != VERSION)
			return fail(s, SOCKS_PROXY_FAILS, "it does not speak SOCKS 5");
		/* Some proxies close behind a refusal that is cut short. */
		if (len >= 2 && data[1] != 0) {
			*used_out = len;
			return on_reply(s, data);
		}
		want = reply_length(data, len);
		if (want == 0)
			return fail(s, SOCKS_PROXY_FAILS, "its answer has an unknown type of address");
	}
	if (len < want)
		return SOCKS_MORE;
	*used_out = want;
	if (s->state == SOCKS_METHOD)
		return on_method(s, data);
	return s->state == SOCKS_LOGIN ? on_login(s, data) : on_reply(s, data);
}
