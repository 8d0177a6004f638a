/* relay/relayq/client.h - where answers come from: the daemon's control socket, or the store when no daemon runs. */
#ifndef RELAYQ_CLIENT_H
#define RELAYQ_CLIENT_H

#include <jansson.h>

#include "conf/conf.h"
#include "relay/ops/task.h"

/* What is told of an answer; both borrow the object. */
struct client_sink {
	void (*row)(void *arg, const json_t *row);
	void (*end)(void *arg, const json_t *end); /* once, the last */
	void *arg;
};

/* Carry a request out. The result is that of the end line; what keeps it from being answered is told as an end line too. */
enum ops_exit client_ask(struct conf *conf, const char *verb, json_t *args, const struct client_sink *sink);

#endif
