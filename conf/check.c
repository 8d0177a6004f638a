/* conf/check.c - rules that need more than one setting. */
#include "conf/check.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/table.h"
#include "conf/origin.h"

/* One name that was given, and where. */
struct seen {
	UT_hash_handle hh;
	uint32_t line;
	char key[];
};

struct check {
	const struct conf *conf;
	struct fault_list *faults;
	struct seen *seen;
};

/* A name of its kind may stand once: `what` names both, such as "tenant name". */
static void once(struct check *c, const char *what, const char *name, struct place at)
{
	char *key, quoted[FAULT_QUOTE];
	struct seen *seen;

	if (!name)
		return;
	key = xasprintf("%s %s", what, name);
	HASH_FIND_STR(c->seen, key, seen);
	if (seen) {
		fault_error(c->faults, at, "duplicate %s %s, expected another: it stands in line %u", what,
		    fault_quote(name, quoted), seen->line);
	} else {
		seen = xcalloc(1, sizeof(*seen) + strlen(key) + 1);
		memcpy(seen->key, key, strlen(key) + 1);
		seen->line = at.line;
		HASH_ADD_STR(c->seen, key, seen);
	}
	free(key);
}

static void forget(struct check *c)
{
	struct seen *seen, *next;

	HASH_ITER(hh, c->seen, seen, next) {
		HASH_DEL(c->seen, seen);
		free(seen);
	}
}

static bool is_loopback(const struct ip_addr *addr)
{
	static const struct ip_net nets[] = {
		{ { AF_INET, { 127 } }, 8 }, { { AF_INET6, { [15] = 1 } }, 128 },
	};

	return ip_net_contains(&nets[0], addr) || ip_net_contains(&nets[1], addr);
}

static bool is_unspecified(const struct ip_addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->bytes, zero, addr->family == AF_INET ? 4 : 16) == 0;
}

static void check_listener(struct check *c, const struct conf_listen *listen)
{
	char text[IP_PORT_TEXT];

	if (listen->at.addr.family != 0)
		once(c, "listen address", ip_port_format(&listen->at, text), origin_of(c->conf, &listen->at, listen));
	if (listen->tls != LISTEN_TLS_NONE && (!c->conf->tls_cert || !c->conf->tls_key))
		fault_error(c->faults, origin_of(c->conf, &listen->tls, listen),
		    "tls is on without a certificate, expected tls: {cert: FILE, key: FILE} or tls: none here");
	if (listen->tls == LISTEN_TLS_NONE && listen->auth != AUTH_NONE)
		fault_error(c->faults, origin_of(c->conf, &listen->auth, listen),
		    "auth is on where tls is none, expected tls: starttls or implicit, as passwords never go in clear");
	if (listen->proxy && c->conf->trusted_count == 0)
		fault_error(c->faults, origin_of(c->conf, &listen->proxy, listen),
		    "proxy is on without anybody to believe, expected trusted: [networks of the proxies]");
}

static void check_listeners(struct check *c)
{
	const struct conf *conf = c->conf;
	char text[IP_PORT_TEXT];

	if (conf->listen_count == 0 && !origin_find(conf, &conf->listen, false))
		fault_error(c->faults, (struct place){ conf->file, 1, 1 },
		    "found no \"listen\", expected at least one address such as 127.0.0.1:25");
	for (size_t i = 0; i < conf->listen_count; i++)
		check_listener(c, &conf->listen[i]);
	if (!conf->tls_cert != !conf->tls_key)
		fault_error(c->faults, origin_of(conf, conf->tls_cert ? &conf->tls_cert : &conf->tls_key, NULL),
		    "tls.%s stands alone, expected tls.cert and tls.key", conf->tls_cert ? "cert" : "key");
	if (conf->tls_more_count > 0 && !conf->tls_cert)
		fault_error(c->faults, origin_of(conf, &conf->tls_more, NULL),
		    "tls.more stands alone, expected tls.cert and tls.key for clients that ask for no name");
	if (conf->admin_tls && !conf->tls_cert)
		fault_error(c->faults, origin_of(conf, &conf->admin_tls, NULL), "admin.tls is true, expected tls.cert and tls.key with it");
	if (conf->admin.addr.family == 0)
		return;
	once(c, "listen address", ip_port_format(&conf->admin, text), origin_of(conf, &conf->admin, NULL));
	if (!is_loopback(&conf->admin.addr))
		fault_warn(c->faults, origin_of(conf, &conf->admin, NULL),
		    "admin.at is %s, expected a loopback address: only /api/v1 asks for a login", text);
}

static void check_network(struct check *c, const struct conf_tenant *tenant, const struct ip_net *net)
{
	char address[IP_TEXT], text[IP_TEXT + 5];
	struct place at = origin_of(c->conf, net, tenant);

	snprintf(text, sizeof(text), "%s/%u", ip_format(&net->addr, address), net->prefix);
	once(c, "network", text, at);
	if (net->prefix == 0)
		fault_warn(c->faults, at, "network %s is the whole world, expected your own: anybody may send as \"%s\"", text,
		    tenant->name ? tenant->name : "");
}

static void check_login(struct check *c, const struct conf_login *login)
{
	const struct conf *conf = c->conf;

	once(c, "login", login->user, origin_of(conf, &login->user, login));
	once(c, "client certificate", login->cert, origin_of(conf, &login->cert, login));
	if (!login->hash && !login->cert)
		fault_warn(c->faults, origin_of(conf, NULL, login), "the login has neither \"hash\" nor \"cert\", expected one: nobody can use it");
}

static void check_others(struct check *c, const struct conf_tenant *tenant)
{
	bool rewrites = tenant->others_envelope == OTHERS_REWRITE || tenant->others_from == OTHERS_REWRITE;

	if (rewrites && !tenant->others_address)
		fault_error(c->faults, origin_of(c->conf,
		    tenant->others_from == OTHERS_REWRITE ? &tenant->others_from : &tenant->others_envelope, tenant),
		    "rewrite without others.address, expected an address to send as");
	else if (tenant->others_address && !rewrites)
		fault_warn(c->faults, origin_of(c->conf, &tenant->others_address, tenant),
		    "others.address stands alone, expected rewrite in others.envelope or others.from");
}

static void check_tenant(struct check *c, const struct conf_tenant *tenant)
{
	const struct conf *conf = c->conf;

	once(c, "tenant name", tenant->name, origin_of(conf, &tenant->name, tenant));
	for (size_t i = 0; i < tenant->from_count; i++)
		check_network(c, tenant, &tenant->from[i]);
	for (size_t i = 0; i < tenant->login_count; i++)
		check_login(c, &tenant->logins[i]);
	if (tenant->from_count == 0 && tenant->login_count == 0)
		fault_warn(c->faults, origin_of(conf, NULL, tenant),
		    "the tenant has neither \"from\" nor \"logins\", expected one: nobody can send as it");
	check_others(c, tenant);
	if (tenant->quota_day > 0 && tenant->quota_hour > tenant->quota_day)
		fault_warn(c->faults, origin_of(conf, &tenant->quota_hour, tenant),
		    "quota.hour is above quota.day, expected less");
}

static void check_alerts(struct check *c)
{
	const char *url = c->conf->alerts.webhook, *host;
	char quoted[FAULT_QUOTE];

	if (!url)
		return;
	host = strncmp(url, "https://", 8) == 0 ? url + 8 : strncmp(url, "http://", 7) == 0 ? url + 7 : "";
	if (host[0] == '\0' || host[0] == '/' || strchr(url, ' '))
		fault_error(c->faults, origin_of(c->conf, &c->conf->alerts.webhook, NULL),
		    "alerts.webhook is %s, expected a URL such as https://hooks.example.net/relay", fault_quote(url, quoted));
}

static void check_tenants(struct check *c)
{
	const struct conf *conf = c->conf;
	size_t logins = 0;
	bool may_log_in = conf->admin.addr.family != 0;

	if (conf->tenant_count == 0 && !origin_find(conf, &conf->tenants, false))
		fault_warn(c->faults, (struct place){ conf->file, 1, 1 }, "found no \"tenants\", expected some: nobody may send");
	for (size_t i = 0; i < conf->tenant_count; i++) {
		check_tenant(c, &conf->tenants[i]);
		logins += conf->tenants[i].login_count;
	}
	for (size_t i = 0; i < conf->listen_count; i++)
		may_log_in = may_log_in || conf->listen[i].auth != AUTH_NONE;
	if (logins > 0 && !may_log_in)
		fault_warn(c->faults, origin_of(conf, &conf->tenants, NULL),
		    "there are logins and no listener with auth, expected auth: optional or required in listen");
}

#define KEYS_MAX 8 /* of one domain: each signs every message */

static void check_dkim(struct check *c, const struct conf_dkim *key)
{
	const struct conf *conf = c->conf;
	char *name;
	size_t before = 0;

	if (!key->domain || !key->selector)
		return;
	name = xasprintf("%s._domainkey.%s", key->selector, key->domain);
	once(c, "key name", name, origin_of(conf, &key->selector, key));
	free(name);
	for (const struct conf_dkim *other = conf->dkim; other < key; other++)
		before += other->domain && strcmp(other->domain, key->domain) == 0;
	if (before == KEYS_MAX)
		fault_error(c->faults, origin_of(conf, &key->domain, key), "more than %d keys of \"%s\", expected fewer", KEYS_MAX,
		    key->domain);
}

static void check_source(struct check *c, const struct conf_source *source)
{
	char text[IP_TEXT];
	struct place at = origin_of(c->conf, &source->ip, source);

	once(c, "source name", source->name, origin_of(c->conf, &source->name, source));
	if (source->ip.family != 0)
		once(c, "source address", ip_format(&source->ip, text), at);
	if (source->ip.family != 0 && is_unspecified(&source->ip))
		fault_error(c->faults, at, "ip is %s, expected an address of this machine", text);
	if (source->warmup_since != 0 && !source->warmup_plan)
		fault_error(c->faults, origin_of(c->conf, &source->warmup_since, source),
		    "warmup.since stands alone, expected warmup.plan");
}

static void check_pool(struct check *c, const struct conf_pool *pool)
{
	char what[128];

	once(c, "pool name", pool->name, origin_of(c->conf, &pool->name, pool));
	snprintf(what, sizeof(what), "source in pool %.64s", pool->name ? pool->name : "");
	for (size_t i = 0; i < pool->source_count; i++)
		once(c, what, pool->source_names[i], origin_of(c->conf, &pool->source_names[i], pool));
}

static void check_provider(struct check *c, const struct conf_provider *p)
{
	const struct conf *conf = c->conf;

	once(c, "provider name", p->name, origin_of(conf, &p->name, p));
	for (size_t i = 0; i < p->domain_count; i++)
		once(c, "provider domain", p->domains[i], origin_of(conf, &p->domains[i], p));
	for (size_t i = 0; i < p->mx_count; i++)
		once(c, "provider mx", p->mx[i], origin_of(conf, &p->mx[i], p));
	if (p->retry_first_ms > (p->retry_max_ms > 0 ? p->retry_max_ms : conf->retry.max_ms))
		fault_error(c->faults, origin_of(conf, &p->retry_first_ms, p),
		    "retry.first of the provider is above its retry.max, expected at most that");
	if (!origin_find(conf, &p->domains, false) && !origin_find(conf, &p->mx, false))
		fault_error(c->faults, origin_of(conf, NULL, p), "the provider has neither \"domains\" nor \"mx\", expected one");
}

/* A calendar that falls from one day to the next is a slip of the pen. */
static void check_days(struct check *c, const uint32_t *days, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (days[i] == 0 || (i > 0 && days[i] < days[i - 1]))
			fault_error(c->faults, origin_of(c->conf, &days[i], NULL), "day %zu has %u, expected at least %u", i + 1, days[i],
			    i > 0 && days[i - 1] > 0 ? days[i - 1] : 1);
}

static void check_plan(struct check *c, const struct conf_plan *plan)
{
	once(c, "plan name", plan->name, origin_of(c->conf, &plan->name, plan));
	check_days(c, plan->days, plan->day_count);
	for (size_t i = 0; i < plan->group_count; i++)
		check_days(c, plan->groups[i].days, plan->groups[i].day_count);
	if (plan->adapt && plan->day_count > 0 && !origin_is_shipped(c->conf, &plan->days))
		fault_error(c->faults, origin_of(c->conf, &plan->days, plan), "days of a plan that adapts, expected start and growth");
}

static void check_retry(struct check *c)
{
	const struct conf_retry *retry = &c->conf->retry;

	if (retry->first_ms > retry->max_ms)
		fault_error(c->faults, origin_of(c->conf, &retry->first_ms, NULL),
		    "retry.first is above retry.max, expected at most that");
	if (retry->first_ms > retry->expire_ms)
		fault_warn(c->faults, origin_of(c->conf, &retry->expire_ms, NULL),
		    "retry.expire is below retry.first, expected more: there is only one attempt");
}

static void check_process(struct check *c)
{
	const struct conf *conf = c->conf;
	char quoted[FAULT_QUOTE];
	size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (origin_find(conf, &conf->user, false) && !getpwnam(conf->user))
		fault_error(c->faults, origin_of(conf, &conf->user, NULL), "unknown user %s, expected one of this system",
		    fault_quote(conf->user, quoted));
	if (conf->control && strlen(conf->control) > longest)
		fault_error(c->faults, origin_of(conf, &conf->control, NULL),
		    "control is a path of %zu bytes, expected at most %zu", strlen(conf->control), longest);
	if (conf->limits.text_line > 0 && conf->limits.text_line < 1000)
		fault_error(c->faults, origin_of(conf, &conf->limits.text_line, NULL),
		    "limits.text_line is %u, expected 0 or at least 1000", conf->limits.text_line);
	if (conf->limits.message_bytes > conf->limits.disk_bytes)
		fault_warn(c->faults, origin_of(conf, &conf->limits.disk_bytes, NULL),
		    "limits.disk is below limits.message, expected more: the largest messages never fit");
}

void check_conf(const struct conf *conf, struct fault_list *faults)
{
	struct check c = { .conf = conf, .faults = faults };

	check_process(&c);
	check_listeners(&c);
	check_tenants(&c);
	check_alerts(&c);
	for (size_t i = 0; i < conf->dkim_count; i++)
		check_dkim(&c, &conf->dkim[i]);
	for (size_t i = 0; i < conf->source_count; i++)
		check_source(&c, &conf->sources[i]);
	for (size_t i = 0; i < conf->pool_count; i++)
		check_pool(&c, &conf->pools[i]);
	for (size_t i = 0; i < conf->provider_count; i++)
		check_provider(&c, &conf->providers[i]);
	for (size_t i = 0; i < conf->plan_count; i++)
		check_plan(&c, &conf->plans[i]);
	for (size_t i = 0; i < conf->route_count; i++)
		once(&c, "route", conf->routes[i].domain, origin_of(conf, &conf->routes[i].domain, &conf->routes[i]));
	check_retry(&c);
	forget(&c);
}
