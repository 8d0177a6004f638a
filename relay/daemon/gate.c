/* relay/daemon/gate.c - the listeners on main: accepts connections, counts them, hands each to the least loaded worker. */
#include "relay/daemon/gate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/table.h"
#include "relay/daemon/certificates.h"
#include "relay/net/listener.h"

#define TURNED_AWAY "too many failed logins from your address; try again later"

struct door {
	struct gate *gate;
	struct listener *listener;
	struct ip_port at;
	bool started, fresh; /* fresh: bound, but not committed yet */
	struct door *next;
};

/* Sessions of one client address. */
struct caller {
	struct ip_addr addr;
	uint32_t sessions;
	UT_hash_handle hh;
};

struct gate {
	struct loop *loop;
	struct warden *warden;
	struct conf *conf;
	struct tls_server *tls;
	struct door *doors;
	struct worker **workers;
	size_t worker_count;
	size_t sessions;
	struct caller *callers;
};

static bool same_endpoint(const struct ip_port *a, const struct ip_port *b)
{
	return a->port == b->port && ip_equal(&a->addr, &b->addr);
}

static size_t listen_index(const struct conf *conf, const struct ip_port *at)
{
	for (size_t i = 0; i < conf->listen_count; i++)
		if (same_endpoint(&conf->listen[i].at, at))
			return i;
	return SIZE_MAX;
}

/* --- counting --------------------------------------------------------------------------------------------------------------- */

static struct caller *caller_find(struct gate *gate, const struct ip_addr *addr)
{
	struct caller *caller;

	HASH_FIND(hh, gate->callers, addr, sizeof(*addr), caller);
	return caller;
}

static uint32_t caller_enter(struct gate *gate, const struct ip_addr *addr)
{
	struct caller *caller = caller_find(gate, addr);

	if (!caller) {
		caller = xcalloc(1, sizeof(*caller));
		caller->addr = *addr;
		HASH_ADD(hh, gate->callers, addr, sizeof(caller->addr), caller);
	}
	gate->sessions++;
	return ++caller->sessions;
}

void gate_session_end(struct gate *gate, const struct ip_port *client)
{
	struct caller *caller = caller_find(gate, &client->addr);

	must(caller && caller->sessions > 0);
	gate->sessions--;
	if (--caller->sessions > 0)
		return;
	HASH_DEL(gate->callers, caller);
	free(caller);
}

static const char *busy_text(const struct gate *gate, uint32_t from_here)
{
	const struct conf_limits *limits = &gate->conf->limits;

	if (gate->sessions > limits->connections)
		return "too many connections, try again later";
	if (limits->connections_per_address && from_here > limits->connections_per_address)
		return "too many connections from your address, try again later";
	return NULL;
}

/* What a banned client hears costs one system call, and no session. Where TLS comes first it could not read it; NULL: in the clear. */
static void turn_away(const struct conf_listen *listen, int fd)
{
	static const char TEXT[] = "421 4.7.0 " TURNED_AWAY "\r\n";

	if (listen == NULL || listen->tls != LISTEN_TLS_IMPLICIT)
		(void)!send(fd, TEXT, sizeof(TEXT) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)close(fd);
}

const char *gate_client_known(struct gate *gate, const struct ip_port *before, const struct ip_port *now)
{
	uint32_t from_here = caller_enter(gate, &now->addr);

	gate_session_end(gate, before);
	return warden_refuses(gate->warden, &now->addr) ? TURNED_AWAY : busy_text(gate, from_here);
}

/* Proxies speak for many: who is behind them is counted when they have told. */
static uint32_t from_here_of(struct gate *gate, const struct ip_port *peer)
{
	uint32_t from_here = caller_enter(gate, &peer->addr);

	return conf_trusts(gate->conf, &peer->addr) ? 0 : from_here;
}

/* To the least loaded worker, with the rest of what it needs to know. */
static void hand_over(struct gate *gate, struct worker_client *client)
{
	struct worker *worker = gate->workers[0];

	for (size_t i = 1; i < gate->worker_count; i++)
		if (worker_load(gate->workers[i]) < worker_load(worker))
			worker = gate->workers[i];
	client->conf = conf_ref(gate->conf);
	client->busy = busy_text(gate, from_here_of(gate, &client->peer));
	worker_accept(worker, client);
}

static void on_accept(void *arg, int fd, const struct ip_port *peer)
{
	struct door *door = arg;
	struct gate *gate = door->gate;
	size_t listen = listen_index(gate->conf, &door->at);

	if (listen == SIZE_MAX) {
		(void)close(fd);
		return;
	}
	if (warden_refuses(gate->warden, &peer->addr)) {
		turn_away(&gate->conf->listen[listen], fd);
		return;
	}
	hand_over(gate, &(struct worker_client){.fd = fd, .peer = *peer, .listen = listen, .tls = gate->tls ? tls_server_ref(gate->tls) : NULL});
}

void gate_admit(struct gate *gate, int fd, const struct ip_port *peer, const struct intake_inner *inner)
{
	if (warden_refuses(gate->warden, &peer->addr))
		turn_away(NULL, fd);
	else
		hand_over(gate, &(struct worker_client){.fd = fd, .peer = *peer, .inner = inner});
}

/* --- binding ---------------------------------------------------------------------------------------------------------------- */

static void door_close(struct door **link)
{
	struct door *door = *link;

	*link = door->next;
	listener_close(&door->listener);
	free(door);
}

static void close_where(struct gate *gate, bool (*wanted)(const struct gate *gate, const struct door *door))
{
	for (struct door **link = &gate->doors; *link;) {
		if (wanted(gate, *link))
			door_close(link);
		else
			link = &(*link)->next;
	}
}

static bool is_fresh(const struct gate *gate, const struct door *door)
{
	return door->fresh;
}

static bool is_unnamed(const struct gate *gate, const struct door *door)
{
	return listen_index(gate->conf, &door->at) == SIZE_MAX;
}

static bool is_any(const struct gate *gate, const struct door *door)
{
	return true;
}

static bool is_bound(const struct gate *gate, const struct ip_port *at)
{
	for (const struct door *door = gate->doors; door; door = door->next)
		if (same_endpoint(&door->at, at))
			return true;
	return false;
}

void gate_rollback(struct gate *gate)
{
	close_where(gate, is_fresh);
}

enum err gate_bind(struct gate *gate, const struct conf *conf, struct err_detail *why)
{
	for (size_t i = 0; i < conf->listen_count; i++) {
		struct door *door;
		struct listener *listener;

		if (is_bound(gate, &conf->listen[i].at))
			continue;
		listener = listener_open(&conf->listen[i].at, why);
		if (!listener) {
			enum err err = why->code;

			gate_rollback(gate);
			return err;
		}
		door = xcalloc(1, sizeof(*door));
		door->gate = gate;
		door->listener = listener;
		door->at = conf->listen[i].at;
		door->fresh = true;
		door->next = gate->doors;
		gate->doors = door;
	}
	return OK;
}

enum err gate_load_tls(const struct conf *conf, struct tls_server **tls_out, struct err_detail *why)
{
	struct conf_faults faults = {0};
	enum err err = OK;

	*tls_out = certificates_load(conf, false, &faults);
	if (faults.count > 0)
		err = err_set(why, ERR_INVALID, "%s", faults.text);
	else if (faults.warning_count > 0)
		log_text(LOG_WARN, "tls-certificate", "%s", faults.warnings);
	conf_faults_free(&faults);
	return err;
}

static void doors_start(struct gate *gate)
{
	for (struct door *door = gate->doors; door; door = door->next) {
		char at[IP_PORT_TEXT];

		door->fresh = false;
		if (door->started || !gate->workers)
			continue;
		door->started = true;
		listener_start(door->listener, gate->loop, on_accept, door);
		log_text(LOG_INFO, "listening", "%s", ip_port_format(&door->at, at));
	}
}

void gate_commit(struct gate *gate, struct conf *conf, struct tls_server *tls)
{
	conf_unref(&gate->conf);
	gate->conf = conf_ref(conf);
	tls_server_unref(&gate->tls);
	gate->tls = tls;
	close_where(gate, is_unnamed);
	doors_start(gate);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

struct gate *gate_create(struct loop *loop, struct conf *conf, struct warden *warden)
{
	struct gate *gate = xcalloc(1, sizeof(*gate));

	gate->loop = loop;
	gate->warden = warden;
	gate->conf = conf_ref(conf);
	return gate;
}

void gate_start(struct gate *gate, struct worker **workers, size_t count)
{
	gate->workers = workers;
	gate->worker_count = count;
	doors_start(gate);
}

void gate_stop(struct gate *gate)
{
	close_where(gate, is_any);
}

void gate_destroy(struct gate **gate_ptr)
{
	struct gate *gate = *gate_ptr;
	struct caller *caller, *tmp;

	if (!gate)
		return;
	gate_stop(gate);
	HASH_ITER(hh, gate->callers, caller, tmp) {
		HASH_DEL(gate->callers, caller);
		free(caller);
	}
	tls_server_unref(&gate->tls);
	conf_unref(&gate->conf);
	free(gate);
	*gate_ptr = NULL;
}

size_t gate_sessions(const struct gate *gate)
{
	return gate->sessions;
}
