/* conf/link.c - fill in what follows from other settings, and tie names to what they name. */
#include "conf/link.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "conf/index.h"

#define IMPLIED "default" /* name of the source and of the pool that exist when the file names none */

static void default_hostname(struct load *load, struct conf *conf)
{
	struct place top = { conf->file, 1, 1 };
	struct value value;
	char name[256] = "", quoted[FAULT_QUOTE];

	if (conf->hostname)
		return;
	if (gethostname(name, sizeof(name) - 1) != 0 || !value_parse(VALUE_HOST, name, &value)) {
		fault_error(load->faults, top, "the system's host name is %s, expected hostname: with a domain name",
		    fault_quote(name, quoted));
		return;
	}
	conf->hostname = memory_text(load->memory, value.text);
	if (!strchr(name, '.'))
		fault_warn(load->faults, top, "the system's host name is %s, expected hostname: with the full name that the "
		    "world knows us by", fault_quote(name, quoted));
}

static void default_workers(struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->workers == 0)
		conf->workers = cores > 257 ? 256 : cores > 1 ? (uint32_t)cores - 1 : 1;
}

/* A machine without the package's user, such as a developer's, runs as whoever starts it. A user that the file names must exist. */
static void default_user(struct load *load, struct conf *conf)
{
	const struct passwd *self;

	if (origin_find(conf, &conf->user, false) || getpwnam(conf->user))
		return;
	self = getpwuid(geteuid());
	fault_warn(load->faults, (struct place){ conf->file, 1, 1 }, "there is no user \"%s\", expected user: with the one to "
	    "run as; stays \"%s\"", conf->user, self ? self->pw_name : "root");
	conf->user = memory_text(load->memory, self ? self->pw_name : "root");
}

static void imply_source(struct load *load, struct conf *conf)
{
	if (conf->source_count > 0)
		return;
	conf->sources = memory_alloc(load->memory, sizeof(*conf->sources));
	conf->sources[0].name = memory_text(load->memory, IMPLIED);
	conf->source_count = 1;
}

static void imply_pool(struct load *load, struct conf *conf)
{
	struct conf_pool *pool;

	if (conf->pool_count > 0)
		return;
	pool = memory_alloc(load->memory, sizeof(*pool));
	pool->name = memory_text(load->memory, IMPLIED);
	pool->overflow_after_ms = HOURS(4);
	pool->source_names = memory_array(load->memory, conf->source_count, sizeof(char *));
	for (size_t i = 0; i < conf->source_count; i++)
		if (conf->sources[i].name)
			pool->source_names[pool->source_count++] = conf->sources[i].name;
	conf->pools = pool;
	conf->pool_count = 1;
}

/* A domain that the operator gives to one provider is no longer another's. */
struct taken {
	UT_hash_handle hh;
};

static void take(struct load *load, const struct conf *conf, char *const *names, size_t count, const void *field,
    struct taken **taken)
{
	struct taken *entry;

	if (origin_is_shipped(conf, field))
		return;
	for (size_t i = 0; i < count; i++) {
		HASH_FIND_STR(*taken, names[i], entry);
		if (entry)
			continue;
		entry = memory_alloc(load->scratch, sizeof(*entry));
		HASH_ADD_KEYPTR(hh, *taken, names[i], strlen(names[i]), entry);
	}
}

static void give_up(const struct conf *conf, char **names, size_t *count, const void *field, struct taken *taken)
{
	struct taken *entry;
	size_t kept = 0;

	if (!origin_is_shipped(conf, field))
		return;
	for (size_t i = 0; i < *count; i++) {
		HASH_FIND_STR(taken, names[i], entry);
		if (!entry)
			names[kept++] = names[i];
	}
	*count = kept;
}

static void settle_providers(struct load *load, struct conf *conf)
{
	struct taken *domains = NULL, *mx = NULL;

	for (size_t i = 0; i < conf->provider_count; i++) {
		struct conf_provider *p = &conf->providers[i];

		take(load, conf, p->domains, p->domain_count, &p->domains, &domains);
		take(load, conf, p->mx, p->mx_count, &p->mx, &mx);
	}
	for (size_t i = 0; i < conf->provider_count; i++) {
		struct conf_provider *p = &conf->providers[i];

		give_up(conf, p->domains, &p->domain_count, &p->domains, domains);
		give_up(conf, p->mx, &p->mx_count, &p->mx, mx);
	}
	HASH_CLEAR(hh, domains);
	HASH_CLEAR(hh, mx);
}

/* The known name that looks most like `word`, as `, did you mean "x"?`, else the first few. */
static const char *suggest(struct load *load, const char *word, const char *const *names, size_t count)
{
	const char *best = NULL, *list = "";
	unsigned least = 3;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = schema_distance(word, names[i]);

		if (distance < least) {
			least = distance;
			best = names[i];
		}
		if (i < 8)
			list = memory_format(load->scratch, "%s%s%s", list, i ? ", " : "", names[i]);
	}
	if (best)
		return memory_format(load->scratch, "did you mean \"%s\"?", best);
	return memory_format(load->scratch, "expected one of: %s%s", list, count > 8 ? ", ..." : "");
}

static const char **pool_names(struct load *load, const struct conf *conf, size_t *count_out)
{
	const char **names = memory_array(load->scratch, conf->pool_count, sizeof(char *));

	*count_out = 0;
	for (size_t i = 0; i < conf->pool_count; i++)
		if (conf->pools[i].name)
			names[(*count_out)++] = conf->pools[i].name;
	return names;
}

static const char **source_names(struct load *load, const struct conf *conf, size_t *count_out)
{
	const char **names = memory_array(load->scratch, conf->source_count, sizeof(char *));

	*count_out = 0;
	for (size_t i = 0; i < conf->source_count; i++)
		if (conf->sources[i].name)
			names[(*count_out)++] = conf->sources[i].name;
	return names;
}

static void link_pool(struct load *load, const struct conf *conf, struct conf_pool *pool)
{
	char quoted[FAULT_QUOTE];

	pool->sources = memory_array(load->memory, pool->source_count, sizeof(*pool->sources));
	for (size_t i = 0; i < pool->source_count; i++) {
		const struct conf_source *source = conf_source_find(conf, pool->source_names[i]);
		const char **names;
		size_t count;

		if (source) {
			pool->sources[i] = (uint32_t)(source - conf->sources);
			continue;
		}
		names = source_names(load, conf, &count);
		fault_error(load->faults, origin_of(conf, &pool->source_names[i], pool), "unknown source %s, %s",
		    fault_quote(pool->source_names[i], quoted), suggest(load, pool->source_names[i], names, count));
	}
}

static void link_pool_name(struct load *load, const struct conf *conf, char *const *field)
{
	char quoted[FAULT_QUOTE];
	const char **names;
	size_t count;

	if (conf_pool_find(conf, *field))
		return;
	names = pool_names(load, conf, &count);
	fault_error(load->faults, origin_of(conf, field, NULL), "unknown pool %s, %s", fault_quote(*field, quoted),
	    suggest(load, *field, names, count));
}

static void link_tenant(struct load *load, const struct conf *conf, struct conf_tenant *tenant)
{
	const struct conf_pool *pool = conf_pool_find(conf, IMPLIED);

	if (tenant->pool) {
		link_pool_name(load, conf, &tenant->pool);
		return;
	}
	if (conf->pool_count == 1)
		pool = &conf->pools[0];
	if (pool && pool->name)
		tenant->pool = memory_text(load->memory, pool->name);
	else
		fault_error(load->faults, origin_of(conf, NULL, tenant), "found no \"pool\", expected one as there are %zu",
		    conf->pool_count);
}

static void link_bounces(struct load *load, struct conf *conf)
{
	const struct conf_pool *pool = conf_pool_find(conf, IMPLIED);

	if (conf->bounce_pool) {
		link_pool_name(load, conf, &conf->bounce_pool);
		return;
	}
	if (!pool)
		pool = &conf->pools[0];
	conf->bounce_pool = memory_text(load->memory, pool->name ? pool->name : IMPLIED);
}

static void link_plan(struct load *load, const struct conf *conf, struct conf_source *source)
{
	const char **names;
	char quoted[FAULT_QUOTE];

	if (!source->warmup_plan)
		return;
	source->plan = conf_plan_find(conf, source->warmup_plan);
	if (source->plan)
		return;
	names = memory_array(load->scratch, conf->plan_count, sizeof(char *));
	for (size_t i = 0; i < conf->plan_count; i++)
		names[i] = conf->plans[i].name ? conf->plans[i].name : "";
	fault_error(load->faults, origin_of(conf, &source->warmup_plan, source), "unknown plan %s, %s",
	    fault_quote(source->warmup_plan, quoted), suggest(load, source->warmup_plan, names, conf->plan_count));
}

static void link_fallback(struct load *load, const struct conf *conf)
{
	const char **names;
	char quoted[FAULT_QUOTE];

	if (!conf->signing_fallback)
		return;
	names = memory_array(load->scratch, conf->dkim_count, sizeof(char *));
	for (size_t i = 0; i < conf->dkim_count; i++) {
		names[i] = conf->dkim[i].domain ? conf->dkim[i].domain : "";
		if (strcmp(names[i], conf->signing_fallback) == 0)
			return;
	}
	fault_error(load->faults, origin_of(conf, &conf->signing_fallback, NULL), "no key of %s stands in dkim, %s",
	    fault_quote(conf->signing_fallback, quoted),
	    conf->dkim_count > 0 ? suggest(load, conf->signing_fallback, names, conf->dkim_count) : "expected one");
}

/* Whether SCRAM can be offered: to whom, nobody knows before the user name has come, so it must be possible for all. */
static void sum_up_logins(struct conf *conf)
{
	size_t passwords = 0, verifiers = 0;

	for (size_t i = 0; i < conf->tenant_count; i++) {
		for (size_t k = 0; k < conf->tenants[i].login_count; k++) {
			const struct conf_login *login = &conf->tenants[i].logins[k];

			passwords += login->hash != NULL;
			verifiers += login->hash && strncmp(login->hash, "SCRAM-", 6) == 0;
			conf->client_certs = conf->client_certs || login->cert;
		}
	}
	conf->scram = passwords > 0 && passwords == verifiers;
}

static void link_route(struct load *load, struct conf_route *route)
{
	char host[256];

	if (!route->to || !value_split_host_port(route->to, host, &route->to_port))
		return;
	route->to_host = memory_text(load->memory, host);
	if (!ip_parse(host, &route->to_ip))
		route->to_ip = (struct ip_addr){ 0 };
}

static void link_proxy(struct load *load, struct conf_source *source)
{
	struct value_proxy proxy;

	if (!source->via || !value_split_proxy(source->via, &proxy))
		return;
	source->via_at = proxy.at;
	if (proxy.user[0]) {
		source->via_user = memory_text(load->memory, proxy.user);
		source->via_password = memory_text(load->memory, proxy.password);
	}
}

/* A list that is there and yields nothing is at fault itself; names that point into it are not. */
static bool is_broken(const struct conf *conf, const void *field, size_t count)
{
	return count == 0 && origin_find(conf, field, false);
}

static void link_names(struct load *load, struct conf *conf, bool sources_broken, bool pools_broken)
{
	for (size_t i = 0; i < conf->pool_count && !sources_broken; i++)
		link_pool(load, conf, &conf->pools[i]);
	if (pools_broken)
		return;
	for (size_t i = 0; i < conf->tenant_count; i++)
		link_tenant(load, conf, &conf->tenants[i]);
	link_bounces(load, conf);
	if (conf->alerts.pool)
		link_pool_name(load, conf, &conf->alerts.pool);
}

void link_conf(struct load *load, struct conf *conf)
{
	bool sources_broken = is_broken(conf, &conf->sources, conf->source_count);
	bool pools_broken = is_broken(conf, &conf->pools, conf->pool_count);

	default_hostname(load, conf);
	default_workers(conf);
	default_user(load, conf);
	conf->dns.anchors_given = origin_find(conf, &conf->dns.anchors, false) != NULL;
	imply_source(load, conf);
	imply_pool(load, conf);
	for (size_t i = 0; i < conf->source_count; i++)
		if (!conf->sources[i].ehlo && conf->hostname)
			conf->sources[i].ehlo = memory_text(load->memory, conf->hostname);
	for (size_t i = 0; i < conf->source_count; i++)
		link_proxy(load, &conf->sources[i]);
	settle_providers(load, conf);
	sum_up_logins(conf);
	conf->index = index_build(conf);
	link_names(load, conf, sources_broken, pools_broken);
	if (!is_broken(conf, &conf->dkim, conf->dkim_count))
		link_fallback(load, conf);
	for (size_t i = 0; i < conf->source_count && !is_broken(conf, &conf->plans, conf->plan_count); i++)
		link_plan(load, conf, &conf->sources[i]);
	for (size_t i = 0; i < conf->route_count; i++)
		link_route(load, &conf->routes[i]);
}
